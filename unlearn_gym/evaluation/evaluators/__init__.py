"""Evaluators: what a model is worth after unlearning, a file a kind of environment."""
