"""A deletion request as data, and named sets of them: what to forget, with which budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from numbers import Integral
from typing import Any

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.checks import optional, positive, refused, whole, word


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
        family: name of the ready-made task whose model is asked to forget; that of the set if empty.
    """

    forget: tuple[str, ...]
    horizon: int
    learning_rate: float
    batch_size: int = 32
    count: int | None = None
    name: str = ""
    family: str = ""

    def __post_init__(self) -> None:
        """Refuse what no request can be."""
        forget = names_of(self.forget)
        if not forget or len(set(forget)) < len(forget):
            raise UserError(f"forget={list(forget)} names no concept or one twice; name each once.")
        whole(1)("horizon", self.horizon)
        positive("learning_rate", self.learning_rate)
        whole(2)("batch_size", self.batch_size)
        if self.batch_size % 2:
            raise UserError(f"batch_size={self.batch_size} of a request has no halves; give an even number.")
        optional(whole(1))("count", self.count)
        word("name", self.name)
        word("family", self.family)
        object.__setattr__(self, "forget", forget)
        if not self.name:
            object.__setattr__(self, "name", self._own_name())

    def _own_name(self) -> str:
        what = "+".join(self.forget) + ("" if self.count is None else f"[{self.count}]")
        of = f"{self.family}: " if self.family else ""
        return f"{of}{what} T={self.horizon} lr={self.learning_rate:g} B={self.batch_size}"

    @property
    def content(self) -> tuple[str, tuple[str, ...], int | None]:
        """What is to be forgotten, and by which model, whatever the budget."""
        return self.family, tuple(sorted(self.forget)), self.count


def names_of(forget: Any) -> tuple[str, ...]:
    """Return what is to be forgotten as words; YAML takes a digit for a number, and one concept needs no list."""
    given = list(forget) if isinstance(forget, list | tuple) else [forget]
    if not all(isinstance(each, str | Integral) and not isinstance(each, bool) for each in given):
        raise refused("forget", forget, "names of concepts, such as [sandal, 7]")
    return tuple(map(str, given))


@dataclass(frozen=True)
class RequestSet:
    """Requests to one or several pretrained models, in named splits.

    Attributes:
        family: of the requests that name none; may be empty if all do.
        splits: name → requests, at least one each, no name twice.
    """

    family: str
    splits: Mapping[str, tuple[Request, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give every request a family; refuse splits without requests and names that mean two requests."""
        word("family", self.family)
        if not self.family and not (self.splits and all(request.family for request in self)):
            raise UserError(
                "A set of requests must say of which model; give family: intruders, for instance."
            )
        if not self.splits or not all(self.splits.values()):
            raise UserError("A set of requests needs a split with at least one request; give train: [...].")
        named = {
            name: tuple(replace(one, family=one.family or self.family) for one in requests)
            for name, requests in self.splits.items()
        }
        object.__setattr__(self, "splits", named)
        name, times = Counter(request.name for request in self).most_common(1)[0]
        if times > 1:
            raise UserError(f"The request {name!r} is there twice; give every request a name of its own.")

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
        """Return what ``reading.read_requests`` reads."""
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
