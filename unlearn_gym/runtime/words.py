"""The words of a command line, made uniform before they are parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from unlearn_gym import configs
from unlearn_gym.errors import UserError

NUMBERS = re.compile(r"\d+(,\d+)+")


def underscored(word: str) -> str:
    """Write the name of a flag with underscores, as dataclass fields are."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def flag_added(words: Sequence[str], leading: str) -> list[str]:
    """Write the flag of the field ``leading`` before the first word, if that is none; no field if empty."""
    if leading and words and not words[0].startswith("-"):
        return [f"--{leading}", *words]
    return list(words)


def files(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take ``--config FILE`` out of the words; returns the files, the last one first, and the other words."""
    found: list[str] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word != "--config" and not word.startswith("--config="):
            others.append(word)
            continue
        name = word.partition("=")[2] or next(rest, "")
        if not name or name.startswith("--"):
            raise UserError("config: no file was given; give the path of a YAML file after --config.")
        found.insert(0, name)
    return found, others


def entries(words: Sequence[str], mappings: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Take the entries of mappings, ``--field.key value`` at any depth, out of the words.

    Args:
        words: of the command line.
        mappings: names of the fields that are mappings.

    Returns:
        The other words, and field → the nested entries.
    """
    others: list[str] = []
    found: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        name, equals, text = word.partition("=")
        field, *keys = name.removeprefix("--").split(".")
        if not (word.startswith("--") and keys and field in mappings):
            others.append(word)
            continue
        value = text if equals else next(rest, None)
        if value is None or not all(keys):
            raise UserError(f"{name.removeprefix('--')} has no value; write --{field}.key value.")
        place = found.setdefault(field, {})
        for key in keys[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[keys[-1]] = configs.scalar(value)
    return others, found


def merged(value: Any, entries: Any) -> Any:
    """Return a mapping with some entries, at any depth, replaced."""
    if not isinstance(value, dict) or not isinstance(entries, dict):
        return entries
    return value | {key: merged(value.get(key), entry) for key, entry in entries.items()}


def lists_gathered(words: Sequence[str], lists: Sequence[str]) -> list[str]:
    """Make the words after the flag of a list field, up to the next flag, one word that holds the list.

    Numbers may also be one word with commas, as in ``--forget-indices 3,17,256``.
    """
    result: list[str] = []
    collected: list[str] | None = None
    for word in [*words, "--"]:
        if collected is not None and not word.startswith("--"):
            collected.append(word)
            continue
        if collected is not None:
            whole = len(collected) == 1 and collected[0].startswith("[")
            numbers = len(collected) == 1 and NUMBERS.fullmatch(collected[0])
            written = f"[{collected[0]}]" if numbers else json.dumps(collected)
            result.append(collected[0] if whole else written)
            collected = None
        if word.removeprefix("--") in lists and word.startswith("--"):
            collected = []
        result.append(word)
    return result[:-1]


def switches_spelled(words: Sequence[str], switches: Sequence[str]) -> list[str]:
    """Write ``--field`` and ``--no_field`` of boolean fields as ``--field=true`` and ``--field=false``.

    Raises:
        UserError: for a switch before a word that is neither a flag nor true or false.
    """
    offs = {f"--no_{name}": f"--{name}=false" for name in switches}
    spelled = []
    for word, following in zip(words, [*words, "--"][1:], strict=True):
        name = word.removeprefix("--")
        alone = word.startswith("--") and name in switches and following.lower() not in {"true", "false"}
        if alone and not following.startswith("-"):
            raise UserError(f"{name}={following!r} is no boolean; give true or false, or nothing.")
        spelled.append(f"{word}=true" if alone else offs.get(word, word))
    return spelled
