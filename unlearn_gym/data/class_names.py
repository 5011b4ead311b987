"""Which class has which number: one numbering for the retain and the forget set."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unlearn_gym.data.labels import Labels
from unlearn_gym.errors import UserError
from unlearn_gym.files import user_path

ClassNames = Sequence[str] | Mapping[str, int] | Mapping[int, str] | str | os.PathLike[str]
"""Names in the order of their numbers, a mapping from names to numbers or back, or a JSON file of either."""
SHOWN = 12
REMEDY = (
    "give class_names=, which says which name has which number: the list of all names in the order of the "
    "network's numbers, a dict, or a JSON file of either (class_to_idx.json)"
)


def class_numbers(
    retain: Sequence[Labels], forget: Sequence[Labels], num_classes: int, class_names: ClassNames | None
) -> dict[str, int]:
    """Return the number of each class that has a name, the same for both sets; empty where none has.

    1. What the user says in ``class_names`` holds.
    2. Else the order of a data set that has one (``ClassLabel``, ``classes``) holds, for folders beside it too.
    3. Else names that are whole numbers are those numbers.
    4. Else the names of both sets together are numbered in sorted order, as torchvision's ``ImageFolder`` does;
       then they must be as many as the network has classes.

    Args:
        retain: labels of the sources of the retain set.
        forget: labels of the sources of the forget set.
        num_classes: classes that the network knows, or 0 when labels do not matter.
        class_names: the user's own word.

    Raises:
        UserError: where the numbers do not follow from what is given.
    """
    named = [labels for labels in (*retain, *forget) if labels.names]
    if class_names is not None:
        numbers = read_class_names(class_names, num_classes)
    elif any(labels.ordered for labels in named):
        numbers = _ordered(named)
    else:
        numbers = _sorted(named, num_classes)
        _say_if_forgotten_only(retain, forget, numbers, num_classes)
    missing = sorted(set().union(*(labels.used() for labels in named)) - set(numbers))
    if missing:
        raise UserError(f"Class {missing[0]!r} has no number among {shown(numbers)}; {REMEDY}.")
    return numbers


def with_numbers(labels: Labels, numbers: Mapping[str, int]) -> Tensor:
    """Return the network's numbers of some labels, int64 (n,)."""
    if not labels.names:
        return labels.numbers
    return torch.tensor([numbers.get(name, -1) for name in labels.names])[labels.numbers]


def names_in_order(numbers: Mapping[str, int], num_classes: int) -> tuple[str, ...]:
    """Return a name for each of ``num_classes`` numbers, the number itself where it has none; () without names."""
    if not numbers:
        return ()
    names = {number: name for name, number in numbers.items()}
    return tuple(names.get(number, str(number)) for number in range(num_classes))


def shown(numbers: Mapping[str, int]) -> str:
    """Write a numbering in a sentence: ``0 airplane, 1 bird``."""
    ranked = sorted(numbers.items(), key=lambda item: item[1])
    more = f" and {len(ranked) - SHOWN} more" if len(ranked) > SHOWN else ""
    return (", ".join(f"{number} {name}" for name, number in ranked[:SHOWN]) or "none") + more


def read_class_names(given: ClassNames, num_classes: int) -> dict[str, int]:
    """Return name → number of what a user gave as ``class_names``; see ``ClassNames``.

    Raises:
        UserError: if it is none of that, or two names share a number, or a number is not the network's.
    """
    content: Any = _from_file(user_path(given)) if isinstance(given, str | os.PathLike) else given
    pairs: list[tuple[Any, Any]]
    if isinstance(content, Mapping):
        pairs = [(value, key) if isinstance(value, str) else (key, value) for key, value in content.items()]
    elif isinstance(content, Iterable):
        pairs = [(name, number) for number, name in enumerate(content)]
    else:
        pairs = [(content, None)]
    found = [(name, _whole(number)) for name, number in pairs]
    if not found or not all(isinstance(name, str) and number is not None for name, number in found):
        raise UserError(
            f"class_names={_short(given)} is no list of names or dict of names and numbers; {REMEDY}."
        )
    numbers = {name: number for name, number in found if number is not None}
    twice = [what for what, times in (Counter(name for name, _ in found) + Counter(numbers.values())).items()
             if times > 1]  # fmt: skip
    if twice:
        raise UserError(f"class_names has {twice[0]!r} twice; give each class one name and one number.")
    wrong = [number for number in numbers.values() if number < 0 or (num_classes and number >= num_classes)]
    if wrong:
        raise UserError(
            f"class_names has a class number {wrong[0]}; the model knows 0 to {num_classes - 1}."
            if num_classes
            else f"class_names has a class number {wrong[0]}; give numbers from 0 on."
        )
    return numbers


def _from_file(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"class_names={str(file)!r} is no readable JSON file ({error}); {REMEDY}.") from error


def _whole(number: object) -> int | None:
    if isinstance(number, str) and number.isdecimal():
        return int(number)
    return int(number) if isinstance(number, Integral) and not isinstance(number, bool) else None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else text[:77] + "..."


def _ordered(named: Sequence[Labels]) -> dict[str, int]:
    """Take over the longest ordered list, if the others do not contradict it."""
    lists = {labels.names for labels in named if labels.ordered}
    longest = max(lists, key=len)
    if any(len(names) == len(longest) or not set(names) <= set(longest) for names in lists - {longest}):
        first, second = sorted(lists, key=len)[-2:]
        raise UserError(
            f"Two data sets number their classes differently ({_short(list(first))} and {_short(list(second))}); "
            f"{REMEDY}."
        )
    return {name: number for number, name in enumerate(longest)}


def _sorted(named: Sequence[Labels], num_classes: int) -> dict[str, int]:
    names = sorted(set().union(*(labels.names for labels in named)))
    numeric = [name for name in names if name.isdecimal()]
    if num_classes == 0 and len(numeric) < len(names):
        return {name: rank for rank, name in enumerate(names)}
    if 0 < len(numeric) < len(names):
        other = next(name for name in names if name not in numeric)
        raise UserError(
            f"Some classes are named by numbers ({numeric[0]!r}) and some by words ({other!r}); rename them, or "
            f"{REMEDY}."
        )
    if len(numeric) == len(names):
        numbers = {name: int(name) for name in names}
        if len(set(numbers.values())) < len(names):
            raise UserError(
                f"Two class folders are the same number ({', '.join(names[:4])}); give each one folder."
            )
        return numbers
    if len(names) != num_classes:
        found = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        raise UserError(
            f"The data name {len(names)} classes ({found}) and the model knows {num_classes}; {REMEDY}."
        )
    return {name: rank for rank, name in enumerate(names)}


def _say_if_forgotten_only(
    retain: Sequence[Labels], forget: Sequence[Labels], numbers: Mapping[str, int], num_classes: int
) -> None:
    """Warn that the sorted order is a guess where the retain set alone would have been numbered otherwise."""
    kept, gone = (set().union(*(labels.names for labels in side)) for side in (retain, forget))
    words = sorted(name for name in gone - kept if not name.isdecimal())
    if kept and words and num_classes:
        warnings.warn(
            f"forget_data alone has the class {words[0]!r}; the classes of both sets are numbered in the order of "
            f"their names ({shown(numbers)}). Give class_names= if the network was trained with other numbers.",
            stacklevel=4,
        )
