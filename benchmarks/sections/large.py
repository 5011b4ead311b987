"""What ``env.step`` costs on networks of the size that users bring: few, long steps."""

from __future__ import annotations

import gc
from collections.abc import Callable

from benchmarks.plain import bare_update
from benchmarks.problems import CIFAR, MEDIUM, make
from benchmarks.rows import Row, Settings, below
from benchmarks.sections.memory import activations, step_peak
from benchmarks.sections.step import stepping
from benchmarks.timing import interleaved, ratio

SIZES = ((MEDIUM, 8), (MEDIUM, 64), (CIFAR, 8), (CIFAR, 32))
"""Networks and batch sizes; each environment holds about seven copies of the weights while it is measured."""
STEPS = {
    "env.step, SISS, fresh state": (3.2, {}),
    "env.step, SISS, lagged state": (1.8, {"state": "lagged"}),
    "env.step, weighted, fresh state": (2.2, {"objective": "weighted"}),
}
"""Row → limit in bare updates, and keywords of the environment."""


def measure(network: str, batch: int, settings: Settings) -> list[Row]:
    """Return the rows of one network and batch size, each beside the same step by direct gradients."""
    rows, where = [], f"{network}, batch {batch}"
    given = {"batch_size": batch, "device": settings.device, "horizon": 10**6}
    for name, (limit, kwargs) in STEPS.items():
        env = make(network, **given, **kwargs)
        direct = make(network, **given, **kwargs, gradients="direct")
        actions: dict[str, Callable[[], object]] = {"bare": bare_update(env.process)}
        actions |= {"step": stepping(env), "direct": stepping(direct)}
        times = interleaved(actions, max(2, settings.repetitions // 10), warm_up=1)
        found, plain = (ratio(times[action], times["bare"]) for action in ("step", "direct"))
        rows.append(below(name, where, found.middle, limit, f"{found} x; direct gradients {plain} x"))
        del env, direct, actions
        gc.collect()
    weights, kept = activations(network, settings.device, batch_size=batch)
    peak = step_peak(network, settings.device, batch_size=batch)
    text = f"{peak:.0f} MiB: weights {weights:.0f}, activations {kept:.0f}"
    limit = round(7 * weights + kept)
    rows.append(below("peak memory of an environment, fresh", where, peak, limit, text, "MiB"))
    return rows


def run(settings: Settings) -> list[Row]:
    """Measure all sizes."""
    return [row for network, batch in SIZES for row in measure(network, batch, settings)]
