"""Final runs of agents, what their models are worth, and the report about them."""

from unlearn_gym.evaluation.evaluators.base import Judge, JudgeSettings, Verdict
from unlearn_gym.evaluation.evaluators.registry import JUDGES
from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Campaign, Contestant, Findings
from unlearn_gym.evaluation.run import Run, rollout

__all__ = [
    "BEFORE",
    "JUDGES",
    "RETRAINED",
    "Campaign",
    "Contestant",
    "Findings",
    "Judge",
    "JudgeSettings",
    "Run",
    "Verdict",
    "evaluate",
    "rollout",
]
