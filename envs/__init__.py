"""Unlearning environments: a Gymnasium face over an unlearning process."""
