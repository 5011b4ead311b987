"""Forgetting a class of a one-step generator by score distillation."""
