"""Wrong keywords, actions, resets and vectors of environments."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from tests.envs.small import small_kwargs
from tests.stress.cases import Place, fail_unless
from tests.stress.mutations import INF, NAN, VALUES, Odd, Wrong, choose, name_of
from tests.stress.trials import Call, Trial, drive
from unlearn_gym.envs.making import make_env

EVERY = {
    "horizon": "count",
    "lambda_range": "range",
    "alpha": "weight",
    "online": "switch",
    "render_mode": "mode",
}
TRAINED = {
    **EVERY,
    **dict.fromkeys(("objective", "reward", "optimizer", "state", "dtype"), "choice"),
    "batch_size": "count",
    "learning_rate": "rate",
    "max_grad_norm": "clip",
    "forget_cap": "rate",
    "retain_weight": "weight",
    "grad_norms": "switch",
    "divergence_penalty": "weight",
    "device": "device",
}
KEYWORDS: dict[str, dict[str, str]] = {
    "Quadratic-v0": {**EVERY, "best_lambda": "rate", "noise": "weight"},
    "EMSE-Polynomial-v0": {
        **TRAINED,
        **{"curves": "choice", "curves_kwargs": "mapping", "draw": "natural", "sigma": "rate"},
    },
    "EMSE-v0": {**TRAINED, "num_classes": "natural", "image_shape": "shape", "augment": "switch"},
    "EMSE-Digits-v0": {**TRAINED, "task": "choice", "task_kwargs": "mapping", "strength": "share"},
    "SISS-v0": {
        **TRAINED,
        **dict.fromkeys(("forget_scaling", "dataset_factors", "x_from"), "choice"),
        **{"forget_norm": "weight", "superfactor": "weight", "model": "path", "retain_data": "path"},
    },
    "SISS-Digits-v0": {**TRAINED, "task": "choice", "task_kwargs": "mapping", "eta": "weight"},
}
"""Id → keyword → kind of its value."""

ONLY_WITH = {
    "sigma": {"objective": "likelihood"},
    "strength": {"objective": "likelihood"},
    "superfactor": {"objective_kwargs": {"forget_scaling": "coef"}},
    "dataset_factors": {"objective_kwargs": {"forget_scaling": "coef"}},
    "eta": {"objective": "erasediff"},
    "forget_cap": {"reward": "progress"},
    "retain_weight": {"reward": "progress"},
}
"""Keyword → setting in which it matters."""
HYPERPARAMETERS = (
    "forget_scaling",
    "forget_norm",
    "superfactor",
    "dataset_factors",
    "x_from",
    "eta",
    "sigma",
    "strength",
)
PLACE = {
    **dict.fromkeys(HYPERPARAMETERS, "objective_kwargs"),
    **dict.fromkeys(("forget_cap", "retain_weight"), "reward_kwargs"),
}
"""Keyword of an objective or reward → where it is given."""

ACTIONS = (
    *map(Wrong, (NAN, INF, -INF, None, "half", "", [], [0.1, 0.2], {}, 0.5j, object())),
    *map(Wrong, (np.array([NAN]), np.array([[0.1], [0.2]]), b"half", [None], [[]])),
    *map(
        Odd, (1e308, -1e308, True, np.array([[0.5]]), torch.tensor([0.5]), 0, "0.5", np.array(["0.5"]), [0.5])
    ),
)
RESETS = (
    *map(Wrong, ({"seed": -1}, {"seed": 1.5}, {"seed": "1"}, {"seed": [1]}, {"seed": NAN})),
    *map(Wrong, ({"options": [1]}, {"options": "restore"}, {"options": 7})),
    *map(Wrong, ({"options": {"restore": "no"}}, {"options": {"no_such_key": 1}})),
    *map(Odd, ({"seed": 2**32}, {"seed": 2**70}, {"seed": True}, {"options": {}}, {"options": None})),
)
VECTORS = (
    *map(Wrong, ({"num_envs": 0}, {"num_envs": -1}, {"num_envs": 2.5}, {"num_envs": "2"})),
    *map(Wrong, ({"vectorization": "nothing"}, {"vectorization": 3}, {"vectorization": ""})),
    *map(Wrong, ({"horizon": 2.5}, {"learning_rate": NAN}, {"no_such_key": 1}, {"autoreset_mode": "x"})),
)


def _pick(rng: np.random.Generator, names: Any) -> Any:
    names = list(names)
    return names[int(rng.integers(len(names)))]


def settings(env: str, folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the cheap keywords of an environment with some changes."""
    return {**small_kwargs(f"unlearn_gym/{env}", folder), **changes}


def keyword(rng: np.random.Generator) -> Trial:
    """Draw an environment, one of its keywords and a wrong value."""
    env = _pick(rng, KEYWORDS)
    name = _pick(rng, KEYWORDS[env])
    wrong = choose(VALUES[KEYWORDS[env][name]], rng)
    if rng.random() < 0.05:
        name, wrong = "no_such_keyword", Wrong(1)

    def prepare(place: Place) -> Call:
        kwargs = settings(env, place.folder, **ONLY_WITH.get(name, {}))
        if name in PLACE:
            kwargs[PLACE[name]] = {**kwargs.get(PLACE[name], {}), name: wrong.value}
        else:
            kwargs[name] = wrong.value
        return Call(lambda: drive(make_env(f"unlearn_gym/{env}", kwargs)))

    return Trial(f"{env}, {name}={name_of(wrong.value)}", prepare, wrong.refused)


def action(rng: np.random.Generator) -> Trial:
    """Draw an environment and a wrong action; the episode has to go on after it."""
    env, wrong = _pick(rng, KEYWORDS), choose(ACTIONS, rng)

    def prepare(place: Place) -> Call:
        made, same = (gym.make(f"unlearn_gym/{env}", **settings(env, place.folder)) for _ in range(2))

        def body() -> None:
            for each in (made, same):
                each.reset(seed=3)
            try:
                seen = made.step(wrong.value)
                fail_unless(
                    np.isfinite(seen[0]).all() and np.isfinite(seen[1]), "numbers that are not finite"
                )
            except BaseException:
                one, other = (each.step(np.array([0.5], np.float32)) for each in (made, same))
                fail_unless(np.array_equal(one[0], other[0]), "the refused action changed the environment")
                raise

        return Call(body)

    return Trial(f"{env}, action {name_of(wrong.value)}", prepare, wrong.refused)


def restart(rng: np.random.Generator) -> Trial:
    """Draw an environment and wrong arguments of ``reset``."""
    env, wrong = _pick(rng, KEYWORDS), choose(RESETS, rng)

    def prepare(place: Place) -> Call:
        made = gym.make(f"unlearn_gym/{env}", **settings(env, place.folder))

        def body() -> None:
            observation, _ = made.reset(**wrong.value)
            fail_unless(made.observation_space.contains(observation), "an observation outside its space")

        return Call(body)

    return Trial(f"{env}, reset({name_of(wrong.value)})", prepare, wrong.refused)


def vector(rng: np.random.Generator) -> Trial:
    """Draw an environment and a wrong keyword of ``make_vec``."""
    env, wrong = _pick(rng, ("Quadratic-v0", "EMSE-Polynomial-v0", "SISS-v0")), choose(VECTORS, rng)
    way = _pick(rng, ("loop", "stacked")) if env != "Quadratic-v0" else "loop"

    def prepare(place: Place) -> Call:
        kwargs = {"num_envs": 2, "vectorization": way, **settings(env, place.folder), **wrong.value}
        count = kwargs.pop("num_envs")
        return Call(partial(gym.make_vec, f"unlearn_gym/{env}", num_envs=count, **kwargs))

    return Trial(f"{env}, make_vec({name_of(wrong.value)}), {way}", prepare, wrong.refused)
