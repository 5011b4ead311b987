"""What the Gymnasium face adds to a process that takes no time."""

from __future__ import annotations

import numpy as np

from benchmarks.rows import Row, Settings, below
from benchmarks.timing import timed
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.processes.base import Process, Quality, Signals, Update

STEPS = 1000


class Instant(Process):
    """A process whose answers are ready."""

    signals, last = Signals(0.1, 0.2, 0.3, 0.4), Update(0.1, 0.2, -0.1)

    def reset(self, rng: np.random.Generator) -> Signals:
        """Return the signals."""
        return self.signals

    def observe(self) -> Signals:
        """Return the signals."""
        return self.signals

    def update(self, lam: float) -> Update:
        """Return the update."""
        return self.last

    def undo(self) -> None:
        """Do nothing."""

    def quality(self) -> Quality:
        """Return two numbers."""
        return Quality(0.1, 0.2)

    def state_dict(self) -> dict[str, object]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Do nothing."""


def run(settings: Settings) -> list[Row]:
    """Measure ``STEPS`` steps a repetition."""
    env = UnlearningEnv(
        Instant(),
        horizon=10**9,
        lambda_range=(0.1, 0.9),
        alpha=0.01,
        reward="loss",
        divergence_penalty=1.0,
        online=False,
        render_mode=None,
    )
    env.reset(seed=0)
    action = np.array([0.4], dtype=np.float32)

    def steps() -> None:
        for _ in range(STEPS):
            env.step(action)

    low, middle, high = np.quantile(
        [timed(steps) / STEPS * 1e6 for _ in range(settings.repetitions)], (0.25, 0.5, 0.75)
    )
    text = f"{middle:.0f} ({low:.0f}-{high:.0f}) us"
    return [below("the Gymnasium face alone", "instant process", middle, 100, text, "us a step")]
