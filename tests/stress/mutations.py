"""Wrong values by the kind of what is asked for, and damage to files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAN, INF = math.nan, math.inf


@dataclass(frozen=True)
class Wrong:
    """A value that must be refused; ``Odd`` may also be taken, if what comes of it is right and finite."""

    value: Any
    refused: bool = True


def Odd(value: Any) -> Wrong:
    """Return a value that may be refused or taken."""
    return Wrong(value, refused=False)


NO_NUMBERS = tuple(map(Wrong, ("three", "", None, [0.5], {}, b"4", 1j, object)))
VALUES: dict[str, tuple[Wrong, ...]] = {
    "count": (
        *map(Wrong, (-1, 0, 2.5, NAN, INF, -INF, 10.5, "4.5", *(w.value for w in NO_NUMBERS))),
        *map(Odd, (True, 4.0, "4", np.int64(4), 10**30)),
    ),
    "natural": (
        *map(Wrong, (-1, -(10**6), 2.5, NAN, INF, *(w.value for w in NO_NUMBERS if w.value is not None))),
        *map(Odd, (True, 2.0, np.int64(3), 10**30)),
    ),
    "weight": (
        *map(Wrong, (-1, -1e-9, NAN, INF, -INF, "much", *(w.value for w in NO_NUMBERS))),
        *map(Odd, (True, "0.1", 1e308, 1e-320, np.float32(0.1), 10**30)),
    ),
    "rate": (
        *map(Wrong, (-1, 0, -1e-9, NAN, INF, -INF, "fast", *(w.value for w in NO_NUMBERS))),
        *map(Odd, (True, "0.1", 1e308, 1e-320, np.float32(0.1), 10**30)),
    ),
    "clip": (
        *map(Wrong, (-1, 0, NAN, -INF, "wide", *(w.value for w in NO_NUMBERS))),
        *map(Odd, (True, INF, 1e308, 1e-320)),
    ),
    "share": (*map(Wrong, (-1, 0, 1, 1.5, NAN, INF, *(w.value for w in NO_NUMBERS))), Odd(1e-12)),
    "switch": (
        *map(Wrong, ("false", "no", "True", "", 2, NAN, [], {}, [True], object)),
        *map(Odd, (0, 1, None, np.True_)),
    ),
    "choice": tuple(map(Wrong, ("", "nothing", " adam", "ADAM!", 3, NAN, ["adam"], {}, True, b"adam"))),
    "range": tuple(
        map(
            Wrong,
            (
                *((0.9, 0.1), (0.5, 0.5), (NAN, 0.9), (0.1, NAN), (0.1, INF), (-0.1, 0.5), (0.0, 1e30)),
                *("0.1 0.9", 0.5, (0.1,), (0.1, 0.5, 0.9), None, [], ("a", "b"), {}, (None, None)),
                *(np.array([[0.1, 0.9]]), (0.1, [0.9]), object),
            ),
        )
    ),
    "mapping": tuple(
        map(Wrong, ({"no_such_key": 1}, [1], "text", {1: 2}, 7, {"": None}, (), {"seed": {}}, True, NAN))
    ),
    "mode": tuple(map(Wrong, ("human", "rgb", "", 3, ["ansi"], True))),
    "device": tuple(map(Wrong, ("", "meta", "abacus", "cuda:99", "cpu:7:8", 3.5, NAN, [], -1))),
    "shape": tuple(
        map(Wrong, ((1,), (1, 8), "x", (0, 8, 8), (1, -8, 8), (2, 8, 8), (1, 8.5, 8), 7, (NAN, 8, 8), {}))
    ),
    "path": (*map(Wrong, ("", "nowhere", "/dev/null", "/dev/null/x", 7, NAN, [], {}, b"\0", "\0", True)),),
}
"""Kind of keyword → values."""

TEXTS: dict[str, tuple[Wrong, ...]] = {
    "count": (*map(Wrong, ("0", "-3", "2.5", "nan", "inf", "many", "", "[4]", "{}", "null")),),
    "natural": (*map(Wrong, ("-1", "2.5", "nan", "inf", "x", "", "[1]", "{}")),),
    "seed": (
        *map(Wrong, ("-1", "1.5", "nan", "x", "", "[1]")),
        *map(Odd, (str(2**32), str(2**63), str(2**80))),
    ),
    "rate": (*map(Wrong, ("0", "-1", "nan", "inf", "-inf", "fast", "", "[0.1]", "{}")), Odd("1e300")),
    "weight": (
        *map(Wrong, ("-1", "nan", "inf", "-inf", "much", "", "[0.1]", "{}")),
        *map(Odd, ("0", "1e300")),
    ),
    "unit": (*map(Wrong, ("-0.1", "1.1", "nan", "inf", "x", "", "[0.5]")),),
    "switch": (*map(Wrong, ("maybe", "2", "", "[]", "nan")),),
    "word": (
        Odd(""),
        *map(Wrong, ("nothing", "../x", "ppo:1:2:3:4", "[", ":", "\N{SNOWMAN}")),
    ),
    "device": (*map(Wrong, ("meta", "abacus", "cuda:99", "")),),
    "mapping": (*map(Wrong, ("x", "[1]", "7", "{a", "{no_such_key: 1}", "{1: 2}")),),
}
"""Kind of flag → words of a command line."""


def choose(values: tuple[Wrong, ...], rng: np.random.Generator) -> Wrong:
    """Return one of the values."""
    return values[int(rng.integers(len(values)))]


def name_of(value: Any) -> str:
    """Write a value short."""
    text = repr(value)
    return text if len(text) < 50 else f"{text[:47]}..."


Damage = Callable[[Path, np.random.Generator], None]


def flip(file: Path, rng: np.random.Generator) -> None:
    """Flip a bit."""
    content = bytearray(file.read_bytes())
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def cut(file: Path, rng: np.random.Generator) -> None:
    """Lose the end."""
    content = file.read_bytes()
    file.write_bytes(content[: int(rng.integers(len(content)))])


def empty(file: Path, rng: np.random.Generator) -> None:
    """Lose everything but the name."""
    file.write_bytes(b"")


def lose(file: Path, rng: np.random.Generator) -> None:
    """Lose the file."""
    file.unlink()


def scramble(file: Path, rng: np.random.Generator) -> None:
    """Hold noise."""
    file.write_bytes(rng.bytes(200))


def as_folder(file: Path, rng: np.random.Generator) -> None:
    """Be a folder."""
    file.unlink()
    file.mkdir()


BINARY: dict[str, Damage] = {
    "bit flip": flip,
    "truncation": cut,
    "empty file": empty,
    "missing file": lose,
    "noise": scramble,
    "folder in its place": as_folder,
}

ODD_JSON = (None, [], {}, -1, 0, 2.5, NAN, INF, "text", True, [1, 2], 10**30, {"a": 1}, [[]])


def json_value(file: Path, rng: np.random.Generator) -> None:
    """Give one key, at any depth, another value, or none."""
    content = json.loads(file.read_text())
    holders = [holder for holder in _holders(content) if holder]
    holder = holders[int(rng.integers(len(holders)))]
    key = list(holder)[int(rng.integers(len(holder)))] if isinstance(holder, dict) else 0
    if rng.random() < 0.3:
        del holder[key]
    else:
        holder[key] = ODD_JSON[int(rng.integers(len(ODD_JSON)))]
    file.write_text(json.dumps(content))


def _holders(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, dict | list) else []
    for item in inner:
        found += _holders(item)
    return found


def json_whole(file: Path, rng: np.random.Generator) -> None:
    """Be other JSON altogether."""
    texts = ("{}", "[]", "null", "7", '"text"', "[" * 5000, "NaN", '{"a": 1, "a": 2}')
    file.write_text(texts[int(rng.integers(len(texts)))])


def json_more(file: Path, rng: np.random.Generator) -> None:
    """Have a key more than is known."""
    content = json.loads(file.read_text())
    if isinstance(content, dict):
        content["no_such_key"] = 1
    file.write_text(json.dumps(content))


JSON: dict[str, Damage] = {
    "another value": json_value,
    "other JSON": json_whole,
    "an unknown key": json_more,
    **BINARY,
}
