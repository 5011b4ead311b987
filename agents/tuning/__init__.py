"""Searching the settings of a learning agent with Optuna: ``config``, ``spaces``, ``search``, ``outputs``."""
