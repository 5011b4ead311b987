"""Sets of requests as users write them: a YAML or JSON file, or its content."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unlearn_gym import configs
from unlearn_gym.data.requests.drawing import drawn
from unlearn_gym.data.requests.request import Request, RequestSet
from unlearn_gym.errors import UserError
from unlearn_gym.runtime.checks import check_known, mapping
from unlearn_gym.storage.files import user_path

FAMILY, DRAW = "family", "draw"


def read_requests(source: str | Path | Mapping[str, Any]) -> RequestSet:
    """Return the set of requests that a YAML or JSON file, or its content, describes.

    It names the ``family`` of the requests that name none, and has a list for each split. An element has the fields of
    ``Request``, or the keywords of ``drawing.drawn`` and stands for as many as it draws; a single one of the latter
    needs no list:

        family: intruders
        train: {draw: 50, forget: [sandal, bag, "7"], horizon: [12, 48], learning_rate: [3e-4, 1.2e-3]}
        test:
          - {forget: [sneaker], horizon: 24, learning_rate: 6e-4}

    Raises:
        UserError: if it cannot be read or a key or value is wrong.
    """
    content = source if isinstance(source, Mapping) else configs.read_file(user_path(source))
    mapping("requests", content)
    splits = {name: _requests(name, rows) for name, rows in content.items() if name != FAMILY}
    return RequestSet(content.get(FAMILY, ""), splits)


def _requests(split: str, rows: Any) -> tuple[Request, ...]:
    given = [rows] if isinstance(rows, Mapping) and DRAW in rows else rows
    if not isinstance(given, list | tuple) or not all(isinstance(row, Mapping) for row in given):
        raise UserError(
            f"{split} of a set of requests is no list of requests; give one, as {split}: [...], or say how they are "
            f"drawn, as {split}: {{draw: 50, ...}}."
        )
    return tuple(request for row in given for request in _of_row(split, row))


def _of_row(split: str, row: Mapping[str, Any]) -> tuple[Request, ...]:
    """Return the request that an element of a list is, or those that it draws."""
    made: Callable[..., Any] = drawn if DRAW in row else Request
    keywords = inspect.signature(made).parameters
    check_known(f"a request of {split}", row, keywords)
    missing = [name for name, known in keywords.items() if known.default is known.empty and name not in row]
    if missing:
        raise UserError(f"A request of {split} lacks {missing[0]!r}: {dict(row)!r:.80}; give it.")
    found = made(**{**row, "learning_rate": _as_number(row["learning_rate"])})
    return (found,) if isinstance(found, Request) else found


def _as_number(rate: Any) -> Any:
    """Return a learning rate, or the ends of its range, as numbers: other readers leave 6e-4 as a word."""
    if isinstance(rate, list | tuple):
        return [_as_number(end) for end in rate]
    try:
        return float(rate) if isinstance(rate, str) else rate
    except ValueError as error:
        raise UserError(f"learning_rate={rate!r} is no number; give one such as 0.0006.") from error
