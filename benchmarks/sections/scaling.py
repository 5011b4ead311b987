"""How the cost of a step grows with the network, the image, the batch and the number of environments."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.plain import bare_update
from benchmarks.problems import DIGITS, random_problem, started
from benchmarks.rows import Row, Settings
from benchmarks.sections.step import stepping
from benchmarks.timing import interleaved, timed

LINES = ("bare", "lagged", "fresh")


def point(settings: Settings, size: int, widths: tuple[int, ...], batch: int) -> tuple[int, list[float]]:
    """Return the number of parameters, and milliseconds of a bare update and of a step, lagged and fresh."""
    problem = random_problem(size, widths)
    keywords: dict[str, Any] = {**problem, "batch_size": batch, "device": settings.device, "horizon": 10**6}
    envs = {s: started(gym.make("unlearn_gym/SISS-v0", state=s, **keywords)) for s in ("lagged", "fresh")}
    actions: dict[str, Callable[[], object]] = {"bare": bare_update(envs["fresh"].process)}
    actions |= {name: stepping(env) for name, env in envs.items()}
    times = interleaved(actions, max(3, settings.repetitions // 4))
    parameters = sum(p.numel() for p in envs["fresh"].process.model.parameters())
    return parameters, [times[name].median * 1e3 for name in LINES]


def many(settings: Settings, count: int) -> list[float]:
    """Return milliseconds of one step of ``count`` digits environments in processes; bare is left out."""
    found = [float("nan")]
    for state in LINES[1:]:
        envs = gym.make_vec("unlearn_gym/SISS-Digits-v0", num_envs=count, state=state, horizon=10**6)
        envs.reset(seed=0)
        actions = np.full((count, 1), 0.5, dtype=np.float32)
        times = [timed(lambda e=envs, a=actions: e.step(a)) for _ in range(2 + settings.repetitions // 4)]
        found.append(float(np.median(times[2:])) * 1e3)
        envs.close()
    return found


def draw(axes: Any, x: Sequence[float], rows: Sequence[Sequence[float]], label: str) -> None:
    """Plot one panel, with a doubling as the unit of both axes."""
    for name, values in zip(LINES, zip(*rows, strict=True), strict=True):
        if not np.isnan(values).all():
            axes.plot(x, values, "o-", label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set(xlabel=label, ylabel="ms a step", xticks=list(x), xticklabels=[short(v) for v in x])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", title="SISS, no labels" if axes.get_subplotspec().num1 < 3 else "SISS")


def short(number: float) -> str:
    """Return 160k for 159,697."""
    for unit, sign in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{sign}"
    return f"{number:g}"


def run(settings: Settings) -> list[Row]:
    """Write ``scaling.png``."""
    widths = [(8, 16), (16, 32), (32, 64), (64, 128)]
    by_width = [point(settings, 8, w, 64) for w in widths]
    sizes, batches = (8, 16, 32), (16, 32, 64, 128, 256)
    by_size = [point(settings, size, (16, 32), 64)[1] for size in sizes]
    by_batch = [point(settings, 8, (16, 32), batch)[1] for batch in batches]
    counts = sorted({1, 2, os.cpu_count() or 1})
    by_count = [many(settings, count) for count in counts]
    for row, (_, (bare, *_)) in zip(by_count, [by_width[1]] * len(by_count), strict=True):
        row[0] = bare
    figure, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
    draw(axes[0, 0], [n for n, _ in by_width], [t for _, t in by_width], "parameters (8x8 images, batch 64)")
    draw(axes[0, 1], sizes, by_size, "image side (widths 16 and 32, batch 64)")
    draw(axes[1, 0], batches, by_batch, "batch (8x8 images, widths 16 and 32)")
    draw(axes[1, 1], counts, by_count, f"environments in processes ({DIGITS})")
    figure.savefig(settings.output / "scaling.png", dpi=150)
    return [Row("step time against parameters, image, batch, environments", "", "plot", "scaling.png")]
