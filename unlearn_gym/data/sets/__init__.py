"""Ready-made requests: digits with boots, MNIST with trousers, class unlearning, curves."""
