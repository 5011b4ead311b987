"""The evaluator of environments without a trained model: the losses on the process's own probe."""

from __future__ import annotations

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.evaluation.evaluators.base import Evaluator, Scores
from unlearn_gym.metrics.subject import Subject
from unlearn_gym.processes.base import Process


class PlainEvaluator(Evaluator):
    """Reads the probe losses; the process itself is the model."""

    key_metrics = ("return",)
    trade_off = ("forget_loss", "retain_loss")

    def metrics(self) -> tuple[str, ...]:
        """The two probe losses."""
        return ("retain_loss", "forget_loss")

    def measure(self, subject: Subject) -> Scores:
        """Evaluate the probe, which needs no draws."""
        quality = subject.model.quality()
        return Scores({"retain_loss": quality.retain_loss, "forget_loss": quality.forget_loss})

    def model(self, env: UnlearningEnv | None = None) -> Process:
        """Return the process."""
        return (env or self.env).process

    def notes(self) -> tuple[str, ...]:
        """There is nothing to retrain."""
        return ("This environment has no retrained reference.",)
