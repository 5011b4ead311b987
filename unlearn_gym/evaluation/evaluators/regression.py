"""The evaluator of regressions: R² on wanted and unwanted points, and Fair R²."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings, Scores
from unlearn_gym.metrics.regression import regression_scores
from unlearn_gym.metrics.subject import Subject
from unlearn_gym.models.modes import eval_mode
from unlearn_gym.processes.regression import RegressionProcess, fit_wanted


class RegressionEvaluator(Evaluator):
    """Asks the model for its predictions on held-out points, or on the training points without such.

    Where the environment draws another problem at each reset, the model is measured on the one it was left
    with.
    """

    key_metrics = ("fair_r2", "r2_wanted", "r2_unwanted")
    trade_off = ("r2_unwanted", "r2_wanted")

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        super().__init__(env, settings)
        self._process: Any = env.process

    def metrics(self) -> tuple[str, ...]:
        """Both R², R²_exp and Fair R²."""
        return ("r2_wanted", "r2_unwanted", "r2_exp", "fair_r2")

    def notes(self) -> tuple[str, ...]:
        """What the data lacks."""
        if len(self._process.data.retain_holdout):
            return ()
        return ("Without held-out points R² is measured on the training points.",)

    def retrained(self) -> nn.Module | None:
        """Return the least-squares fit to the wanted points of a polynomial problem."""
        if not isinstance(self._process, RegressionProcess):
            return None
        return fit_wanted(self._process.data, self._process.curves.degree)

    def measure(self, subject: Subject) -> Scores:
        """Predict and compare; there is nothing to draw."""
        model = subject.model
        data: UnlearningData = self._process.data
        wanted = data.retain_holdout if len(data.retain_holdout) else data.retain
        unwanted = data.forget_holdout if len(data.forget_holdout) else data.forget
        with eval_mode(model), torch.no_grad():
            scores = regression_scores(
                wanted.labels, _predict(model, wanted), unwanted.labels, _predict(model, unwanted)
            )
        return Scores(asdict(scores))


def _predict(model: nn.Module, points: LabelledSet) -> Tensor:
    first = next(model.parameters())
    return model(points.inputs.to(first.device, first.dtype)).float().cpu()
