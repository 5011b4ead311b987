"""What the command lines share: a dataclass read from flags and YAML, and errors as one sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser
from jsonargparse.typing import restricted_number_type

from unlearn_gym import configs, words
from unlearn_gym.errors import UserError
from unlearn_gym.files import user_path
from unlearn_gym.stopping import stopped_by_signals

ConfigType = TypeVar("ConfigType")
PRINT = "--print_config"
Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", 2**32)], docstring="a seed, 0 to 4294967295")


def run(main: Callable[[], object]) -> NoReturn:
    """Call ``main`` and leave the process with its ``status``."""
    sys.exit(status(main))


def status(main: Callable[[], object]) -> int:
    """Call ``main`` and return the exit status, having said in one sentence why it is not 0.

    Returns:
        0, or 2 after bad input or a bad path, or 128 + the signal: 130 after SIGINT, 143 after SIGTERM.
    """
    try:
        with stopped_by_signals():
            main()
    except UserError as error:
        return _refused(one_line(error))
    except OSError as error:  # a folder that cannot be written, a full disk
        return _refused(f"{one_line(error)}; give a path that can be read and written.")
    except KeyboardInterrupt as error:
        name, number = str(error) or "SIGINT", getattr(error, "number", 2)
        hint = getattr(error, "hint", "") or "run the same command again to go on"
        print(f"stopped by {name}; what was finished is kept: {hint}.", file=sys.stderr)
        return 128 + number
    return 0


def _refused(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 2


def parse(
    config_type: type[ConfigType],
    arguments: Sequence[str] | None = None,
    *,
    description: str = "",
    defaults: Mapping[str, Any] | None = None,
    program: str | None = None,
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

    Raises:
        UserError: naming the key and what is allowed.
    """
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False, description=description, prog=program)
    parser.add_argument("--config", action="config", help="YAML file with any of the keys below")
    parser.add_class_arguments(config_type, as_group=False)
    given = [words.underscored(word) for word in (sys.argv[1:] if arguments is None else arguments)]
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
    name = next(iter(arguments[place + 1 :]), "")
    files = {path.stem: path for path in Path(str(resources.files("unlearn_gym.configs"))).glob("*.yaml")}
    if name not in files:
        known = ", ".join(sorted(files))
        raise UserError(f"There is no experiment {name!r}; the files in configs/ are {known}.")
    return [*arguments[:place], "--config", str(files[name]), *arguments[place + 2 :]]


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
        checked = parser.parse_object(dict(values)).as_dict()
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
        return f"{key!r} is not known; allowed are {', '.join(known)}."
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
