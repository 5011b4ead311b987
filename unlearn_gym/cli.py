"""What the command lines share: a dataclass read from flags and YAML, and errors as one sentence."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_origin, get_type_hints

from jsonargparse import ArgumentError, ArgumentParser

from unlearn_gym.errors import UserError

ConfigType = TypeVar("ConfigType")


def run(main: Callable[[], object]) -> NoReturn:
    """Call ``main`` and leave the process: status 0, 2 after bad input or a bad path (one sentence), 130 after ^C."""
    try:
        main()
    except UserError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a folder that cannot be written, a full disk
        print(f"error: {one_line(error)}; give a path that can be read and written.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def parse(
    config_type: type[ConfigType],
    arguments: Sequence[str] | None = None,
    *,
    description: str = "",
    defaults: Mapping[str, Any] | None = None,
) -> ConfigType:
    """Read a flat dataclass from flags, ``--config FILE.yaml`` and its defaults, the flags winning.

    Flags are the field names, with ``-`` or ``_``; entries of a dictionary field are ``--field.key value``,
    and the words of a list field follow its flag, as in ``--agents ppo sac``; a field that is true or false
    is also a switch, ``--field`` or ``--no-field``.
    ``--help`` and ``--print_config`` print and leave.

    Args:
        config_type: the dataclass; its docstring's ``Args`` are the help texts.
        arguments: command line words, ``sys.argv[1:]`` if None.
        description: first lines of the help.
        defaults: values that replace those of the dataclass.

    Raises:
        UserError: naming the key and what is allowed.
    """
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False, description=description)
    parser.add_argument("--config", action="config", help="YAML file with any of the keys below")
    parser.add_class_arguments(config_type, as_group=False)
    known = [field.name for field in dataclasses.fields(config_type)]  # type: ignore[arg-type]
    lists = [name for name, kind in get_type_hints(config_type).items() if get_origin(kind) is list]
    words = [_underscored(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    words = _gathered(_spell_switches(config_type, words), lists)
    try:
        if defaults:
            parser.set_defaults(dict(defaults))
        values = parser.parse_args(words).as_dict()
    except (ArgumentError, TypeError, ValueError) as error:
        raise UserError(explain(str(error), known)) from error
    return config_type(**{name: plain(values[name]) for name in known})


def with_experiment(words: Sequence[str]) -> list[str]:
    """Replace ``--experiment NAME`` by ``--config`` and the file of that name in ``unlearn_gym.configs``.

    Raises:
        UserError: when there is no such file.
    """
    if "--experiment" not in words:
        return list(words)
    place = list(words).index("--experiment")
    name = next(iter(words[place + 1 :]), "")
    file = Path(str(resources.files("unlearn_gym.configs"))) / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml")))
        raise UserError(f"There is no experiment {name!r}; the files in configs/ are {known}.")
    return [*words[:place], "--config", str(file), *words[place + 2 :]]


def check(config_type: type[ConfigType], values: Mapping[str, Any], what: str) -> ConfigType:
    """Build a dataclass from a mapping, with every type and range checked.

    Args:
        config_type: the dataclass.
        values: some of its fields.
        what: how to call the mapping in an error, such as ``"hyperparameters of ppo"``.

    Raises:
        UserError: naming the key and what is allowed.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(config_type, as_group=False)
    known = [field.name for field in dataclasses.fields(config_type)]  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UserError(f"{what}: {unknown[0]!r} is not known; allowed are {', '.join(known)}.")
    try:
        checked = parser.parse_object(dict(values)).as_dict()
    except (ArgumentError, TypeError, ValueError) as error:
        raise UserError(f"{what}: {explain(str(error), known)}") from error
    return config_type(**{name: plain(checked[name]) for name in known})


def plain(value: Any) -> Any:
    """Return numbers of restricted types, such as ``PositiveInt``, as the int or float that they are."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) if isinstance(value, int) else float(value)
    return value


def explain(message: str, known: Sequence[str]) -> str:
    """Turn a message of the parser into one sentence that names the key and what is allowed."""
    message = one_line(message).replace("Expected a typing.Literal", "expected one of ")
    message = re.sub(r"Expected a <class '(\w+)'>", r"expected a value of type \1", message)
    unknown = re.search(r"unrecognized arguments: (\S+)|Option '([^']+)' is not accepted", message)
    if unknown:
        key = unknown.group(1) or unknown.group(2)
        return f"{key!r} is not known; allowed are {', '.join(known)}."
    key_and_rest = re.match(r"Parser key \"([^\"]+)\": ?(.*)", message)
    if key_and_rest:
        key, rest = key_and_rest.groups()
        return f"{key}: {rest.rstrip('.')}."
    return f"{message.rstrip('.')}."


def one_line(message: object) -> str:
    """Join the lines of a message."""
    return " ".join(str(message).split())


def _underscored(word: str) -> str:
    """Write the name of a flag with underscores, as dataclass fields are."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _gathered(words: Sequence[str], lists: Sequence[str]) -> list[str]:
    """Make the words after the flag of a list field, up to the next flag, one word that holds the list."""
    result: list[str] = []
    collected: list[str] | None = None
    for word in [*words, "--"]:
        if collected is not None and not word.startswith("--"):
            collected.append(word)
            continue
        if collected is not None:
            whole = len(collected) == 1 and collected[0].startswith("[")
            result.append(collected[0] if whole else json.dumps(collected))
            collected = None
        if word.removeprefix("--") in lists and word.startswith("--"):
            collected = []
        result.append(word)
    return result[:-1]


def _spell_switches(config_type: type, words: Sequence[str]) -> list[str]:
    """Write ``--field`` and ``--no_field`` of boolean fields as ``--field=true`` and ``--field=false``."""
    fields = dataclasses.fields(config_type)
    switches = {f"--{field.name}": field.name for field in fields if isinstance(field.default, bool)}
    offs = {f"--no_{name}": f"--{name}=false" for name in switches.values()}
    spelled = []
    for word, following in zip(words, [*words, "--"][1:], strict=True):
        alone = word in switches and following.lower() not in {"true", "false"}
        spelled.append(f"{word}=true" if alone else offs.get(word, word))
    return spelled
