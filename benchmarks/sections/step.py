"""What ``env.step`` and ``reset`` cost beside the bare update and beside the naive step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.plain import NaiveStep, bare_update, direct_update
from benchmarks.problems import DIGITS, NETWORKS, make
from benchmarks.rows import Row, Settings, above, below
from benchmarks.timing import interleaved, ratio
from unlearn_gym.envs.base import UnlearningEnv

STEPS = {
    "env.step, SISS, lagged state": (1.7, {"state": "lagged"}),
    "env.step, SISS, fresh state": (3.0, {}),
    "env.step, weighted, fresh state": (2.0, {"objective": "weighted"}),
    "env.step, SISS (coef), lagged, no norms": (
        1.15,
        {"state": "lagged", "grad_norms": False, "objective_kwargs": {"forget_scaling": "coef"}},
    ),
}
"""Row → limit in bare updates, and keywords of the environment."""
FRESH, LAGGED = "env.step, SISS, fresh state", "env.step, SISS, lagged state"


def lambdas(seed: int = 0) -> Callable[[], float]:
    """Return a source of λ as an exploring agent chooses them: N(0.5, 0.15²), cut to [0.1, 0.9]."""
    rng = np.random.default_rng(seed)
    return lambda: float(np.clip(rng.normal(0.5, 0.15), 0.1, 0.9))


def stepping(env: UnlearningEnv) -> Callable[[], None]:
    """Return an action that makes one step (and resets after an episode, which its time includes)."""
    draw = lambdas()

    def step() -> None:
        _, _, over, _, _ = env.step(np.array([draw()], dtype=np.float32))
        if over:
            env.reset()

    return step


def measure(network: str, settings: Settings) -> list[Row]:
    """Return the rows of one network."""
    where = {"device": settings.device, "horizon": 10**6}
    envs = {name: make(network, **where, **kwargs) for name, (_, kwargs) in STEPS.items()}
    other, light = make(network, **where), make(network, **where, state="lagged")
    naive, draw = NaiveStep(make(network, **where).process), lambdas()
    actions: dict[str, Callable[[], object]] = {"bare": bare_update(other.process)}
    actions |= {name: stepping(env) for name, env in envs.items()}
    actions |= {"naive": lambda: naive.step(draw()), "reset": other.reset}
    actions["direct"] = direct_update(other.process, lambdas())
    actions |= {"lagged reset": light.reset, "probe": other.process.quality}
    times = interleaved(actions, settings.repetitions if network == DIGITS else settings.repetitions // 3)
    found = {name: ratio(times[name], times["bare"]) for name in times}
    title = f"{network}, bare {times['bare'].median * 1e3:.1f} ms"
    rows = [
        below(name, title, found[name].middle, limit, f"{found[name]} x")
        for name, (limit, _) in STEPS.items()
    ]
    rows.append(Row("naive step, SISS, fresh state", title, "shown", f"{found['naive']} x bare"))
    rows.append(Row("direct gradients, SISS, fresh state", title, "shown", f"{found['direct']} x bare"))
    for name, limit in ((FRESH, 1.7), (LAGGED, 2.5)):
        gain = ratio(times["naive"], times[name])
        rows.append(above(f"naive step over {name}", title, gain.middle, limit, f"{gain} x"))
    for name, state in (("reset", "fresh, with its first measurement"), ("lagged reset", "lagged")):
        rows.append(below(f"reset, {state}", title, found[name].middle, 1.0, f"{found[name]} x"))
    rows.append(Row("what reward=progress adds to a step", title, "shown", f"{found['probe']} x bare"))
    return rows


def run(settings: Settings) -> list[Row]:
    """Measure both networks."""
    return [row for network in NETWORKS for row in measure(network, settings)]
