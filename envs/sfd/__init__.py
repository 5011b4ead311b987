"""One-step generators that forget a class: score forgetting distillation."""
