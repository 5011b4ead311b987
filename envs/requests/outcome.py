"""A reward that looks at what the model shows: what was forgotten and what was kept, as a classifier sees it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from unlearn_gym.errors import UserError
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.processes.base import Process, Update
from unlearn_gym.runtime.checks import number, optional, whole

if TYPE_CHECKING:
    from unlearn_gym.envs.requests.asked import Asked
    from unlearn_gym.metrics.outcomes.base import Meter

SEED = 0
"""Of the noise that samples are drawn from, the same in every episode."""


class OutcomeReward:
    """The outcome of the request when the run ends; or its growth every K updates.

    The outcome is (D·F·K)^(1/3) of ``unlearn_gym.metrics.outcomes``: the original model's is 0, and so is that of a run
    after which nothing is right, or that diverged. The rewards of a run sum to the outcome of what it left, less the
    baseline's.

    Args:
        every: updates between two looks at the model; 0 for one look at the end.
        baseline: λ of a constant whose outcome on the same request and seed is subtracted at the end; None for none.
            It costs a second run, once for each request and seed.
    """

    names: tuple[str, ...] = ("outcome", "baseline")
    sizes = SampleSizes()

    def __init__(self, *, every: int = 0, baseline: float | None = None) -> None:
        whole(0)("every", every)
        optional(number("a λ of at least 0", lambda value: value >= 0))("baseline", baseline)
        self.every, self.baseline = every, baseline
        self._updates, self._reached, self._to_beat = 0, 0.0, 0.0
        self._known: dict[tuple[str, str], float] = {}

    def attach(self, env: Any) -> None:
        """Hear which environment asks; it must have requests, and allow the baseline's λ.

        Raises:
            UserError: if it has none, or does not.
        """
        if not hasattr(env, "outcome_meter"):
            raise UserError(
                "reward='outcome' looks at what is left of deletion requests, which this environment has none of; "
                "choose progress, or an id with Requests or SFD."
            )
        low, high = env.encoding.low, env.encoding.high
        if self.baseline is not None and not low <= self.baseline <= high:
            raise UserError(
                f"baseline={self.baseline:g} is outside lambda_range, {low:g} to {high:g}, so that no agent could "
                "choose it; give a λ inside."
            )
        self._asked: Asked = env.asked
        self._meter: Meter = env.outcome_meter(self.sizes)

    def reset(self, process: Process) -> None:
        """Start at 0, and run the constant to compare with, if there is one."""
        self._updates, self._reached = 0, 0.0
        self._to_beat = 0.0 if self.baseline is None else self._of_constant(process, self.baseline)

    def terms(self, update: Update, process: Process) -> dict[str, float]:
        """Return what the outcome has grown by, at the updates after which samples are looked at."""
        self._updates += 1
        last = self._updates >= self._asked.horizon
        if not last and not (self.every and self._updates % self.every == 0):
            return {"outcome": 0.0, "baseline": 0.0}
        before, self._reached = self._reached, self._measured(process)
        return {"outcome": self._reached - before, "baseline": -self._to_beat if last else 0.0}

    def ruined(self) -> dict[str, float]:
        """Take back what was paid, for the outcome of a run that diverged is 0; the baseline's is due all the same."""
        return {"outcome": -self._reached, "baseline": -self._to_beat}

    def _measured(self, process: Any) -> float:
        return self._meter.measure(process.model, self._asked.shown, SEED).score

    def _of_constant(self, process: Process, lam: float) -> float:
        start = process.state_dict()
        key = self._asked.request.name, hashlib.sha256(start["generator"].numpy().tobytes()).hexdigest()
        if key not in self._known:
            diverged = any(process.update(lam).diverged for _ in range(self._asked.horizon))
            self._known[key] = 0.0 if diverged else self._measured(process)
            process.load_state_dict(start)
            process.observe()
        return self._known[key]

    def state_dict(self) -> dict[str, float]:
        """Return what changes within an episode."""
        return {"_updates": self._updates, "_reached": self._reached, "_to_beat": self._to_beat}


class GeneratedOutcomeReward(OutcomeReward):
    """The same of a one-step generator: what it makes of fixed noise is looked at.

    Args:
        every: as in ``OutcomeReward``.
        baseline: likewise.
        samples: of the label that is to be forgotten.
        class_samples: of each other label.
    """

    def __init__(
        self,
        *,
        every: int = 0,
        baseline: float | None = None,
        samples: int = SampleSizes.samples,
        class_samples: int = SampleSizes.class_samples,
    ) -> None:
        super().__init__(every=every, baseline=baseline)
        self.sizes = SampleSizes(samples, class_samples)


class SampledOutcomeReward(OutcomeReward):
    """The same of a diffusion model: its samples on fixed noise are looked at.

    Args:
        every: as in ``OutcomeReward``.
        baseline: likewise.
        samples: of each label of which something is to be forgotten.
        class_samples: of each other label.
        sampling_steps: DDIM steps a sample.
    """

    def __init__(
        self,
        *,
        every: int = 0,
        baseline: float | None = None,
        samples: int = SampleSizes.samples,
        class_samples: int = SampleSizes.class_samples,
        sampling_steps: int = SampleSizes.sampling_steps,
    ) -> None:
        super().__init__(every=every, baseline=baseline)
        self.sizes = SampleSizes(samples, class_samples, sampling_steps)
