"""Gymnasium environments in which unlearning a trained model is the control problem."""

from unlearn_gym.registration import register_all

__version__ = "0.1.0"

register_all()
