"""Keywords of earlier versions, which still work."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from unlearn_gym.errors import UserError

SAME = ("forget_scaling", "forget_norm", "superfactor", "dataset_factors", "x_from", "sigma", "strength")
RENAMED = {
    **{name: name for name in (*SAME, "forget_cap", "retain_weight")},
    "erasediff_eta": "eta",
}
"""Old keyword of a constructor → the key of ``objective_kwargs`` and ``reward_kwargs`` that it is today."""
PLACES = ("objective_kwargs", "reward_kwargs")


def deprecated(hyperparameters: Collection[str]) -> list[str]:
    """Return the old keywords of a family whose objectives and rewards have these."""
    return [old for old, new in RENAMED.items() if new in hyperparameters]


def in_new_form(given: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return a constructor's keywords with old ones among ``defaults``, where what is chosen finds them.

    Args:
        given: keywords of today.
        old: those that have another name today.

    Raises:
        UserError: if one is given in both forms.
    """
    for name in old:
        if any(RENAMED[name] in (given.get(place) or {}) for place in PLACES):
            raise UserError(
                f"{name}= and {' or '.join(PLACES)} with {RENAMED[name]!r} were given; leave one out."
            )
    moved = {RENAMED[name]: value for name, value in old.items()}
    return {**given, "defaults": {**(given.get("defaults") or {}), **moved}} if old else dict(given)


def warn(old: Mapping[str, Any], keywords: Mapping[str, Mapping[str, Any]]) -> None:
    """Say where the old keywords belong.

    Args:
        old: as in ``in_new_form``.
        keywords: place → all keywords of what is chosen.
    """
    for name, value in old.items():
        new = RENAMED[name]
        places = [f"{place}={{{new!r}: {value!r:.80}}}" for place in PLACES if new in keywords[place]]
        advice = (
            f"give {' and '.join(places)}" if places else "leave it out: what is chosen has no such keyword"
        )
        warnings.warn(f"{name}= is deprecated; {advice}.", DeprecationWarning, stacklevel=_users_level())


def _users_level() -> int:
    """Return the level of the first caller outside this package and Gymnasium: its warnings are shown."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in ("unlearn_gym", "gymnasium"):
        level, frame = level + 1, frame.f_back
    return level
