"""What the shared keywords and arguments of environments may be: one sentence for each value that is refused.

Constructors call ``check_keywords(locals())`` first; a keyword that is not in ``CHECKS`` is checked where it is
used. Values keep their types: nothing is converted in silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from unlearn_gym.errors import UserError

AUTO = "auto"
LARGEST_LAMBDA = 1e6
LARGEST_WEIGHT = 1e12
"""Weights above it could carry the reward of a step out of float32."""
OPTIONS = ("restore", "minari_autoseed")
"""Keys of ``reset(options=...)``; Minari's collector hands its own on to the environment."""

Check = Callable[[str, Any], None]


def is_number(value: Any) -> bool:
    """Whether ``value`` is one real number of Python or NumPy; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def refused(name: str, value: Any, allowed: str) -> UserError:
    """Return the error for a value that is not allowed."""
    return UserError(f"{name}={value!r:.80} was given; give {allowed}.")


def whole(least: int) -> Check:
    """Return the check of a whole number of at least ``least``."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise refused(name, value, f"a whole number of at least {least}")

    return check


def number(allowed: str, is_allowed: Callable[[float], bool]) -> Check:
    """Return the check of a number, NaN and text being none."""

    def check(name: str, value: Any) -> None:
        try:
            good = is_number(value) and is_allowed(float(value))
        except OverflowError:  # a whole number beyond all floats
            good = False
        if not good:
            raise refused(name, value, allowed)

    return check


def switch(name: str, value: Any) -> None:
    """Check that a value is True or False and not, say, the text "false", which Python takes for true."""
    if not isinstance(value, bool | np.bool_):
        raise refused(name, value, "True or False, without quotation marks")


def word(name: str, value: Any) -> None:
    """Check that a value is text."""
    if not isinstance(value, str):
        raise refused(name, value, "a name, as text")


def mapping(name: str, value: Any) -> None:
    """Check that a value is a dictionary of keywords."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise refused(name, value, "a dictionary of keywords and their values")


def range_of_lambda(name: str, value: Any) -> None:
    """Check that a value is two λ that float32, the type of actions, can tell apart."""
    ends = list(value) if isinstance(value, tuple | list | np.ndarray) else []
    if len(ends) != 2 or not all(is_number(end) and math.isfinite(end) for end in ends):
        raise refused(name, value, "two finite numbers, such as (0.1, 0.9)")
    if not 0 <= ends[0] < ends[1] <= LARGEST_LAMBDA or np.float32(ends[0]) == np.float32(ends[1]):
        raise refused(name, value, f"0 <= low < high <= {LARGEST_LAMBDA:g}, such as (0.1, 0.9)")


def optional(check: Check) -> Check:
    """Return the same check, passed by None too."""
    return lambda name, value: None if value is None else check(name, value)


positive = number("a finite number above 0", lambda value: 0 < value < math.inf)
weight = number(f"a number from 0 to {LARGEST_WEIGHT:g}", lambda value: 0 <= value <= LARGEST_WEIGHT)

CHECKS: dict[str, Check] = {
    **dict.fromkeys(("online", "grad_norms", "augment"), switch),
    **dict.fromkeys(("alpha", "retain_weight", "divergence_penalty"), weight),
    **dict.fromkeys(("superfactor", "forget_norm", "erasediff_eta", "noise"), weight),
    **dict.fromkeys(("learning_rate", "forget_cap", "best_lambda"), positive),
    **dict.fromkeys(("objective", "reward", "optimizer", "state", "curves"), word),
    **dict.fromkeys(("forget_scaling", "dataset_factors", "x_from", "gradients"), word),
    **dict.fromkeys(("task_kwargs", "curves_kwargs"), optional(mapping)),
    **dict.fromkeys(("task", "render_mode"), optional(word)),
    "horizon": whole(1),
    "batch_size": whole(2),
    "num_classes": optional(whole(0)),
    "draw": optional(whole(0)),
    "max_grad_norm": number("a number above 0, or inf for no clip", lambda value: value > 0),
    "sigma": number(
        f"a number from {1 / LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}",  # its square is a divisor
        lambda value: 1 / LARGEST_WEIGHT <= value <= LARGEST_WEIGHT,
    ),
    "strength": number("a number between 0 and 1, such as 0.9", lambda value: 0 < value < 1),
    "lambda_range": range_of_lambda,
}
"""Keyword → its check, the same in every family of environments."""


def check_keywords(keywords: Mapping[str, Any], automatic: Container[str] = ()) -> None:
    """Check those of a constructor's arguments that ``CHECKS`` knows.

    Args:
        keywords: name → value.
        automatic: names that may also be "auto"; see ``unlearn_gym.envs.automatic``.

    Raises:
        UserError: naming the keyword, what was given and what is allowed.
    """
    for name, value in keywords.items():
        if name in CHECKS and not (name in automatic and isinstance(value, str) and value == AUTO):
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


def check_options(options: Any) -> bool:
    """Return whether the options of a ``reset`` ask for the original weights.

    Raises:
        UserError: on an unknown key, or a value that is neither True nor False.
    """
    if options is None:
        return False
    mapping("options", options)
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise UserError(f"reset has no option {unknown[0]!r}; the one there is is restore (True or False).")
    restore = options.get("restore", False)
    switch("restore", restore)
    return bool(restore)
