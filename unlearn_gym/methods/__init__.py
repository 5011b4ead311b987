"""Update rules of the class-unlearning benchmark, behind its own interface."""

from unlearn_gym.methods.base import Batch, LossMethod, UnlearningMethod
from unlearn_gym.methods.loading import METHODS, load_method, make_method, read_loss

__all__ = [
    "METHODS",
    "Batch",
    "LossMethod",
    "UnlearningMethod",
    "load_method",
    "make_method",
    "read_loss",
]
