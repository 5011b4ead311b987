"""Update rules of the class-unlearning benchmark, behind its own interface."""

from unlearn_gym.methods.base import Batch, LossMethod, UnlearningMethod
from unlearn_gym.methods.loading import BASELINES, METHODS, load_method, make_method, read_loss

__all__ = [
    "BASELINES",
    "METHODS",
    "Batch",
    "LossMethod",
    "UnlearningMethod",
    "load_method",
    "make_method",
    "read_loss",
]
