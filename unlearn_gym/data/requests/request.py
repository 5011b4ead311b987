"""A deletion request as data, and named sets of them: what to forget, with which budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from numbers import Integral
from pathlib import Path
from typing import Any

import yaml

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.checks import check_known, mapping, optional, positive, refused, whole, word

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Request:
    """One unlearning job.

    Attributes:
        forget: names of the concepts to forget; everything else is to be kept.
        horizon: updates that may be made, T.
        learning_rate: of the optimizer.
        batch_size: images an update, half from each side.
        count: images of each concept that the request brings; None for all.
        name: made of the others if empty.
    """

    forget: tuple[str, ...]
    horizon: int
    learning_rate: float
    batch_size: int = 32
    count: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what no request can be."""
        forget = _names(self.forget)
        if not forget or len(set(forget)) < len(forget):
            raise UserError(f"forget={list(forget)} names no concept or one twice; name each once.")
        whole(1)("horizon", self.horizon)
        positive("learning_rate", self.learning_rate)
        whole(2)("batch_size", self.batch_size)
        if self.batch_size % 2:
            raise UserError(f"batch_size={self.batch_size} of a request has no halves; give an even number.")
        optional(whole(1))("count", self.count)
        word("name", self.name)
        object.__setattr__(self, "forget", forget)
        if not self.name:
            object.__setattr__(self, "name", self._own_name())

    def _own_name(self) -> str:
        what = "+".join(self.forget) + ("" if self.count is None else f"[{self.count}]")
        return f"{what} T={self.horizon} lr={self.learning_rate:g} B={self.batch_size}"

    @property
    def content(self) -> tuple[tuple[str, ...], int | None]:
        """What is to be forgotten, whatever the budget."""
        return tuple(sorted(self.forget)), self.count


def _names(forget: Any) -> tuple[str, ...]:
    """Return what is to be forgotten as words; YAML takes a digit for a number, and one concept needs no list."""
    given = list(forget) if isinstance(forget, list | tuple) else [forget]
    if not all(isinstance(each, str | Integral) and not isinstance(each, bool) for each in given):
        raise refused("forget", forget, "names of concepts, such as [sandal, 7]")
    return tuple(map(str, given))


@dataclass(frozen=True)
class RequestSet:
    """Requests to one family's model, in named splits.

    Attributes:
        family: name of the ready-made task whose model is asked to forget.
        splits: name → requests, at least one each, no name twice.
    """

    family: str
    splits: Mapping[str, tuple[Request, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse splits without requests and names that mean two requests."""
        if not self.splits or not all(self.splits.values()):
            raise UserError("A set of requests needs a split with at least one request; give train: [...].")
        names = [request.name for requests in self.splits.values() for request in requests]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f"The request {twice[0]!r} is there twice; give every request a name of its own.")

    def split(self, name: str) -> tuple[Request, ...]:
        """Return the requests of a split.

        Raises:
            UserError: if there is no such split.
        """
        if name not in self.splits:
            raise UserError(f"split={name!r} is not known; choose one of {', '.join(self.splits)}.")
        return self.splits[name]

    def __iter__(self) -> Iterator[Request]:
        """Go through the requests of all splits."""
        return (request for requests in self.splits.values() for request in requests)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``read_requests`` reads."""
        return {"family": self.family, **{name: [asdict(r) for r in rs] for name, rs in self.splits.items()}}


def find(requests: Sequence[Request], wanted: Any) -> int:
    """Return the number of a request, which may be given by its name.

    Raises:
        UserError: if there is none.
    """
    names = [request.name for request in requests]
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    if isinstance(wanted, Integral) and not isinstance(wanted, bool) and 0 <= int(wanted) < len(names):
        return int(wanted)
    raise UserError(
        f"request={wanted!r} is not known; give a number from 0 to {len(names) - 1}, or a name such as {names[0]!r}."
    )


def read_requests(source: str | Path | Mapping[str, Any]) -> RequestSet:
    """Return the set of requests that a YAML or JSON file, or its content, describes.

    It names the ``family`` and has a list of requests for each split, whose keys are the fields of ``Request``:

        family: intruders
        train:
          - {forget: [sandal], horizon: 24, learning_rate: 6e-4}

    Raises:
        UserError: if it cannot be read or a key or value is wrong.
    """
    content = source if isinstance(source, Mapping) else _parsed(Path(source).expanduser())
    mapping("requests", content)
    if not isinstance(content.get("family"), str):
        raise UserError("A set of requests must say of which model; give family: intruders, for instance.")
    splits = {name: _requests(name, value) for name, value in content.items() if name != "family"}
    return RequestSet(content["family"], splits)


def _requests(split: str, rows: Any) -> tuple[Request, ...]:
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        raise UserError(f"{split} of a set of requests is no list of requests; give one, as {split}: [...].")
    known = [f.name for f in fields(Request)]
    for row in rows:
        check_known(f"a request of {split}", row, known)
        missing = [name for name in known[:3] if name not in row]
        if missing:
            raise UserError(f"A request of {split} lacks {missing[0]!r}: {dict(row)!r:.80}; give it.")
    return tuple(Request(**{**row, **_as_number(row)}) for row in rows)


def _as_number(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the learning rate as a number where YAML took it for a word, as it does 6e-4."""
    rate = row["learning_rate"]
    try:
        return {"learning_rate": float(rate)} if isinstance(rate, str) else {}
    except ValueError as error:
        raise UserError(f"learning_rate={rate!r} is no number; give one such as 0.0006.") from error


def _parsed(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"The requests in {path} cannot be read ({reason}); give a YAML or JSON file."
        ) from error
