"""Classifiers: training, the ready-made tasks, and networks of the user."""
