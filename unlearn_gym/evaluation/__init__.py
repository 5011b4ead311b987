"""Final runs of agents, what their models are worth, and the report about them."""

from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings, Scores
from unlearn_gym.evaluation.evaluators.registry import EVALUATORS
from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Entry, Experiment
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.run import Run, rollout

__all__ = [
    "BEFORE",
    "EVALUATORS",
    "RETRAINED",
    "Entry",
    "Evaluator",
    "EvaluatorSettings",
    "Experiment",
    "Results",
    "Run",
    "Scores",
    "evaluate",
    "rollout",
]
