"""Rules for two gradients: what the literature does where keeping and forgetting pull the weights apart."""

from __future__ import annotations

from unlearn_gym.objectives.two_gradients.base import TwoGradients
from unlearn_gym.objectives.two_gradients.cagrad import CAGrad
from unlearn_gym.objectives.two_gradients.gu import GU, GUConflict
from unlearn_gym.objectives.two_gradients.mgda import MGDA
from unlearn_gym.objectives.two_gradients.nash import NashBargain
from unlearn_gym.objectives.two_gradients.pcgrad import PCGrad
from unlearn_gym.objectives.two_gradients.setpoint import Barrier, Lexicographic

RULES: dict[str, type[TwoGradients]] = {
    "gu": GU,
    "gu_conflict": GUConflict,
    "pcgrad": PCGrad,
    "lexi": Lexicographic,
    "barrier": Barrier,
    "mgda": MGDA,
    "cagrad": CAGrad,
    "nash": NashBargain,
}
"""Name → rule. A new one is one file and one line here."""
