"""Many environments of the 28x28 network as one stack on a GPU, against one environment in a loop."""

from __future__ import annotations

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.problems import IDS, LARGE, make
from benchmarks.rows import Row, Settings, above
from benchmarks.sections.step import stepping
from benchmarks.timing import timed

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ROUNDS = 5
WHAT = "64 stacked environments over one in a loop"


def speed(count: int, settings: Settings) -> float:
    """Return environment steps a second of ``count`` stacked environments."""
    keywords = {"device": settings.device, "horizon": 10**6}
    envs = gym.make_vec(IDS[LARGE], num_envs=count, vectorization="stacked", **keywords)
    envs.reset(seed=0)
    actions = np.full((count, 1), 0.5, dtype=np.float32)
    times = [timed(lambda: envs.step(actions)) for _ in range(ROUNDS + 2)][2:]
    return count / float(np.median(times))


def run(settings: Settings) -> list[Row]:
    """Measure on CUDA only: on a CPU, stacking is slower than a loop."""
    if not settings.device.startswith("cuda"):
        return [Row(WHAT, LARGE, ">= 20 x", "not measured: needs --device cuda")]
    step = stepping(make(LARGE, device=settings.device, horizon=10**6))
    alone = 1.0 / float(np.median([timed(step) for _ in range(ROUNDS + 2)][2:]))
    speeds = [speed(count, settings) for count in SIZES]
    figure, axes = plt.subplots()
    axes.loglog(SIZES, speeds, "o-", label="stacked")
    axes.axhline(alone, linestyle="--", label="one environment in a loop")
    axes.set(xlabel="environments", ylabel="environment steps a second", title=LARGE)
    axes.legend()
    figure.savefig(settings.output / "many.png", dpi=150)
    gain = speeds[SIZES.index(64)] / alone
    return [above(WHAT, LARGE, gain, 20, f"{gain:.1f} x ({alone:.1f} steps/s alone)")]
