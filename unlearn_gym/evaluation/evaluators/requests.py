"""The evaluator of deletion requests: what a model shows of the request that the environment has at the moment."""

from __future__ import annotations

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.requests.base import RequestsEnv
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings, Scores
from unlearn_gym.metrics.outcomes.base import Meter
from unlearn_gym.metrics.outcomes.outcome import SampleSizes, outcome
from unlearn_gym.metrics.subject import Subject
from unlearn_gym.models.grid import pixels_of

SHOWN = 20


class RequestsEvaluator(Evaluator):
    """Compares what a model shows with what the original showed, from the same noise or of the same images."""

    key_metrics = ("outcome", "forgotten", "label_kept", "others_kept", "return")
    trade_off = ("forgotten", "label_kept")

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        super().__init__(env, settings)
        assert isinstance(env, RequestsEnv)
        self._env = env
        self._meter: Meter = env.outcome_meter(
            SampleSizes(settings.samples, settings.class_samples, settings.sampling_steps)
        )

    def metrics(self) -> tuple[str, ...]:
        """The outcome and what it is made of."""
        return ("outcome", "forgotten", "label_kept", "others_kept", "neither_rate")

    def measure(self, subject: Subject) -> Scores:
        """Measure the outcome of the current request; that of a run that diverged is 0."""
        env, shown = self._env, self._env.asked.shown
        before = self._meter.before(shown, subject.seed)
        after = self._meter.look(subject.model, shown, subject.seed)
        found = outcome(before.shares, after.shares, shown)
        neither = [float(after.shares[label][-1]) for label in shown.forgotten]
        values = {
            **vars(found),
            "outcome": 0.0 if subject.diverged else found.score,
            "neither_rate": sum(neither) / len(neither),
        }
        pictures = {} if after.images is None else {"forget label": pixels_of(after.images[:SHOWN])}
        return Scores(values, pictures, details={env.request.name: values})

    def notes(self) -> tuple[str, ...]:
        """There is no model retrained without each request."""
        return (
            "Every request has another retrained model; none was made: rows are compared with each other.",
        )
