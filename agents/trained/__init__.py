"""Trained policies: what they saw in their training, and those that come with the package."""
