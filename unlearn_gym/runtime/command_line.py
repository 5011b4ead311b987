"""What the command lines share: a dataclass read from flags and YAML; what is wrong is one sentence."""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import math
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter
from jsonargparse.typing import restricted_number_type

from unlearn_gym import configs
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import words
from unlearn_gym.storage.files import user_path

ConfigType = TypeVar("ConfigType")
PRINT = "--print_config"
Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", 2**32)], docstring="a seed, 0 to 4294967295")


class _Help(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Leaves the lines of the description as they are: they hold examples."""


def parse(
    config_type: type[ConfigType],
    arguments: Sequence[str] | None = None,
    *,
    description: str = "",
    defaults: Mapping[str, Any] | None = None,
    program: str | None = None,
    leading: str = "",
    hidden: Collection[str] = (),
) -> ConfigType:
    """Read a flat dataclass from flags, ``--config FILE.yaml`` and its defaults, the flags winning.

    Flags are the field names, with ``-`` or ``_``; entries of a dictionary field are ``--field.key value``, at any
    depth, and the words of a list field follow its flag, as in ``--agents ppo sac``; a field that is true or false
    is also a switch, ``--field`` or ``--no-field``.
    ``--help`` and ``--print_config`` print and leave.

    Args:
        config_type: the dataclass; its docstring's ``Args`` are the help texts.
        arguments: command line words, ``sys.argv[1:]`` if None.
        description: first lines of the help.
        defaults: values that replace those of the dataclass.
        program: how the help calls the command, if not by the name of the script.
        leading: field whose value may be the first word, without its flag.
        hidden: fields that the help leaves out.

    Raises:
        UserError: naming the key and what is allowed.
    """
    parser = ArgumentParser(
        exit_on_error=False,
        allow_abbrev=False,
        description=description,
        prog=program,
        formatter_class=_Help,
    )
    parser.add_argument("--config", action="config", help="YAML file with any of the keys below")
    parser.add_class_arguments(config_type, as_group=False)
    for action in parser._actions:
        action.help = argparse.SUPPRESS if action.dest in hidden else action.help
    given = [words.underscored(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    given = words.flag_added(given, leading)
    given, entries = words.entries(given, _fields_of(config_type, dict))
    given = words.switches_spelled(given, _fields_of(config_type, bool))
    given = words.lists_gathered(given, _fields_of(config_type, list))
    files, given = words.files(given)
    with _explained(config_type, ""):
        if defaults:
            parser.set_defaults(dict(defaults))
        for file in files:
            given = ["--config", _content(config_type, user_path(file)), *given]
        if entries:
            values = parser.parse_args([word for word in given if not word.startswith(PRINT)])
            whole = {name: words.merged(values[name], found) for name, found in entries.items()}
            given += [f"--{name}={configs.one_line(value)}" for name, value in whole.items()]
        values = parser.parse_args(given)
    return _built(config_type, values.as_dict(), "")


def _content(config_type: type, file: Path) -> str:
    """Return what a configuration file holds, checked, as YAML."""
    values = configs.read_file(file)
    _check_keys(config_type, values, f"{file}: ")
    return configs.one_line(values)


def with_experiment(arguments: Sequence[str]) -> list[str]:
    """Replace ``--experiment NAME`` by ``--config`` and the file of that name in ``unlearn_gym.configs``.

    Raises:
        UserError: when there is no such file.
    """
    if "--experiment" not in arguments:
        return list(arguments)
    place = list(arguments).index("--experiment")
    file = configs.experiment(next(iter(arguments[place + 1 :]), ""))
    return [*arguments[:place], "--config", str(file), *arguments[place + 2 :]]


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
    _check_keys(config_type, values, f"{what}: ")
    with _explained(config_type, f"{what}: "):
        checked = parser.parse_object(copy.deepcopy(dict(values))).as_dict()  # it writes into lists
    return _built(config_type, checked, f"{what}: ")


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
        return f"{key!r} is not known; allowed are {', '.join(known) or '(none)'}."
    key_and_rest = re.match(r"Parser key \"([^\"]+)\": ?(.*)", message)
    if key_and_rest:
        key, rest = key_and_rest.groups()
        return f"{key}: {rest.rstrip('.')}."
    return f"{message.rstrip('.')}."


def one_line(message: object) -> str:
    """Join the lines of a message."""
    return " ".join(str(message).split())


def _names(config_type: type) -> list[str]:
    return [field.name for field in dataclasses.fields(config_type)]


def _fields_of(config_type: type, kind: type) -> list[str]:
    """Return the fields whose type is ``kind``, or ``kind`` of something."""
    hints = get_type_hints(config_type)
    return [name for name in _names(config_type) if kind in (hints[name], get_origin(hints[name]))]


def _check_keys(config_type: type, values: Any, where: str) -> None:
    """Refuse what is no mapping, unknown keys, and text for booleans, which would be read as something."""
    known = _names(config_type)
    allowed = ", ".join(known) or "(none)"
    if not isinstance(values, Mapping):
        raise UserError(f"{where}{values!r} is no mapping of keys to values; allowed keys are {allowed}.")
    unknown = [key for key in values if key not in known]
    if unknown:
        raise UserError(f"{where}{unknown[0]!r} is not known; allowed are {allowed}.")
    for name in _fields_of(config_type, bool):
        if not isinstance(values.get(name, False), bool):
            raise UserError(
                f"{where}{name}={values[name]!r} is no boolean; give true or false, without quotes."
            )


@contextlib.contextmanager
def _explained(config_type: type, where: str) -> Iterator[None]:
    """Turn what the parser raises in the body into one sentence that begins with ``where``."""
    try:
        yield
    except UserError:
        raise
    except RecursionError as error:
        raise UserError(f"{where}a value is nested too deeply.") from error
    except (ArgumentError, yaml.YAMLError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise UserError(f"{where}{explain(str(error), _names(config_type))}") from error


def _built(config_type: type[ConfigType], values: Mapping[str, Any], where: str) -> ConfigType:
    """Build the dataclass from values of the right types; refuse empty mappings' keys and bad numbers."""
    mappings = _fields_of(config_type, dict)
    checked = {name: plain(values[name]) for name in _names(config_type)}
    for name, value in checked.items():
        if value is None and name in mappings:
            raise UserError(f"{where}{name} has no value; give a mapping, or leave the key out.")
        if not _finite(value, infinite_too=name not in mappings):
            raise UserError(f"{where}{name}={value} is not finite; give a finite number.")
    return config_type(**checked)


def _finite(value: Any, *, infinite_too: bool) -> bool:
    """Whether no number is NaN; nor infinite, which free keywords, such as ``max_grad_norm``, may be."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return all(_finite(item, infinite_too=infinite_too) for item in items)
    if not isinstance(value, float):
        return True
    return math.isfinite(value) if infinite_too else not math.isnan(value)
