"""What the shared keywords and arguments of environments may be: one sentence for each value that is refused.

A keyword that is not in ``CHECKS`` is checked where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np

from unlearn_gym.envs.spaces.actions import CONTROLS, ENCODINGS
from unlearn_gym.envs.spaces.observers import OBSERVERS
from unlearn_gym.runtime.checks import (
    Check,
    check_known,
    is_number,
    mapping,
    number,
    one_of,
    optional,
    positive,
    refused,
    switch,
    weight,
    whole,
    word,
)

AUTO = "auto"
LARGEST_LAMBDA = 1e6
REQUEST = "request"
OPTIONS = ("restore", "minari_autoseed")
"""Keys of ``reset(options=...)``; Minari's collector hands its own on to the environment."""


def range_of_lambda(name: str, value: Any) -> None:
    """Check that a value is two λ that float32, the type of actions, can tell apart."""
    ends = list(value) if isinstance(value, tuple | list | np.ndarray) else []
    if len(ends) != 2 or not all(is_number(end) and math.isfinite(end) for end in ends):
        raise refused(name, value, "two finite numbers, such as (0.1, 0.9)")
    if not 0 <= ends[0] < ends[1] <= LARGEST_LAMBDA or np.float32(ends[0]) == np.float32(ends[1]):
        raise refused(name, value, f"0 <= low < high <= {LARGEST_LAMBDA:g}, such as (0.1, 0.9)")


def controls(name: str, value: Any) -> None:
    """Check that a value is an element of ``CONTROLS``, as a tuple or a list."""
    if not isinstance(value, tuple | list) or tuple(value) not in CONTROLS:
        raise refused(name, value, " or ".join(map(str, map(list, CONTROLS))))


CHECKS: dict[str, Check] = {
    **dict.fromkeys(("online", "grad_norms", "augment"), switch),
    **dict.fromkeys(("alpha", "divergence_penalty", "noise"), weight),
    **dict.fromkeys(("learning_rate", "best_lambda"), positive),
    **dict.fromkeys(("optimizer", "state", "curves", "gradients"), word),
    **dict.fromkeys(("task_kwargs", "curves_kwargs"), optional(mapping)),
    **dict.fromkeys(("objective_kwargs", "reward_kwargs", "defaults"), optional(mapping)),
    **dict.fromkeys(("task", "render_mode", "mask", "start"), optional(word)),
    "horizon": whole(1),
    "batch_size": whole(2),
    "num_classes": optional(whole(0)),
    "draw": optional(whole(0)),
    "max_grad_norm": number("a number above 0, or inf for no clip", lambda value: value > 0),
    "lambda_range": range_of_lambda,
    "observation": lambda name, value: one_of(name, value, OBSERVERS),
    "action": lambda name, value: one_of(name, value, ENCODINGS),
    "control": controls,
}
"""Keyword → its check, the same in every family of environments. Objectives and rewards check their own."""


def is_auto(name: str, value: Any, automatic: Container[str]) -> bool:
    """Whether a value is "auto" and may be."""
    return name in automatic and isinstance(value, str) and value == AUTO


def check_keywords(keywords: Mapping[str, Any], automatic: Container[str] = ()) -> None:
    """Check those of a constructor's arguments that ``CHECKS`` knows.

    Args:
        keywords: name → value.
        automatic: names that may also be "auto"; see ``unlearn_gym.envs.automatic``.

    Raises:
        UserError: naming the keyword, what was given and what is allowed.
    """
    for name, value in keywords.items():
        if name in CHECKS and not is_auto(name, value, automatic):
            CHECKS[name](name, value)


def check_seed(seed: Any) -> int | None:
    """Return the seed of a ``reset`` as Gymnasium wants it: a whole number of any size, or None.

    Raises:
        UserError: for anything else.
    """
    if seed is None:
        return None
    whole(0)("seed", seed)
    return int(seed)


def check_options(options: Any, known: Iterable[str] = OPTIONS) -> bool:
    """Return whether the options of a ``reset`` ask for the original weights.

    Args:
        options: of the reset.
        known: keys that the environment has.

    Raises:
        UserError: on an unknown key, or a value that is neither True nor False.
    """
    if options is None:
        return False
    mapping("options", options)
    check_known("reset(options=...)", options, known)
    restore = options.get("restore", False)
    switch("restore", restore)
    return bool(restore)
