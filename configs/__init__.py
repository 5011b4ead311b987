"""Hyperparameters as data: one YAML file an agent, keyed by environment id, with a ``default``."""

from __future__ import annotations

import math
import re
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from unlearn_gym.errors import UserError

DEFAULT = "default"
FORMER_NAMES = {"experiment_a": "mnist_trousers", "experiment_a_quick": "mnist_trousers_quick"}
"""Former name of an experiment → its name; both are accepted."""
LARGEST_FILE = 2**20
"""Bytes of a configuration file."""
MOST_VALUES = 100_000
"""Values of a configuration, each counted as often as aliases repeat it."""


class _Loader(yaml.SafeLoader):
    """Plain data only: numbers such as ``3e-4``, no dates, no tags, and every key once."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse explicit tags."""
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"tags such as {event.tag} are not read", event.start_mark
            )
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse a key that is there twice; YAML would take the last one."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add((key.tag, str(key.value)))
        return node


class _Dumper(yaml.SafeDumper):
    """Writes what ``_Loader`` reads back as it was."""


# YAML 1.1 reads ``3e-4`` as a string; these take it as a number, and quote it where it is a string.
for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


def read(text: str, source: str) -> dict[str, Any]:
    """Parse a YAML mapping of plain data.

    Args:
        text: the YAML.
        source: how to call it in an error.

    Raises:
        UserError: if it is no YAML or no mapping, has a tag, a key twice or one that is no text, a NaN, or so many
            values that it can only be meant badly.
    """
    try:
        values = yaml.load(text, Loader=_Loader)
        if isinstance(values, dict):
            return _copied(values, source, [MOST_VALUES])
    except RecursionError as error:
        raise UserError(f"{source} is nested too deeply.") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{source} is not YAML of plain data: {_reason(error)}.") from error
    given = "is empty" if values is None else f"holds a {type(values).__name__}"
    raise UserError(f"{source} is not a mapping of keys to values; it {given}.")


def scalar(text: str) -> Any:
    """Return what a word on a command line means in YAML; the word itself where it means nothing."""
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return text


def one_line(values: dict[str, Any]) -> str:
    """Return YAML of a mapping in one line, its keys in their order."""
    return yaml.dump(values, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=math.inf).strip()


def _reason(error: Exception) -> str:
    """Return what is wrong, and in which line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    return f"{problem} (line {mark.line + 1})" if mark else problem


def read_file(path: Path) -> dict[str, Any]:
    """Read a YAML file; see ``read``.

    Raises:
        UserError: if it is not there, no text, or too large.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}; give the path of a YAML file.")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise UserError(f"{path} is larger than a configuration can be ({LARGEST_FILE} bytes).")
        return read(content.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8; give a YAML file.") from error


def _copied(value: Any, source: str, budget: list[int]) -> Any:
    """Return the value without shared parts, each of them checked; ``budget`` holds how many may follow."""
    budget[0] -= 1
    if budget[0] < 0:
        raise UserError(f"{source} has more than {MOST_VALUES} values, counting what aliases repeat.")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise UserError(f"{source}: the key {key!r} is no text; write it in quotes.")
        return {key: _copied(item, source, budget) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item, source, budget) for item in value]
    if isinstance(value, float) and math.isnan(value):
        raise UserError(f"{source} holds .nan; give a number.")
    return value


def hyperparameters(agent: str, env_id: str) -> dict[str, Any]:
    """Return the settings of an agent for an environment: its ``default`` entry, updated by the id's own.

    Args:
        agent: name of an agent; one without a file has no settings of its own.
        env_id: id of an environment, with or without the module that is imported first.
    """
    entries = table(agent)
    return {**entries.get(DEFAULT, {}), **entries.get(env_id.rpartition(":")[2], {})}


def experiments() -> dict[str, Path]:
    """Return name → file of the experiments that come with the package."""
    return {
        path.stem: path
        for path in Path(str(resources.files(__name__))).joinpath("experiments").glob("*.yaml")
    }


def experiment(name: str) -> Path:
    """Return the file of an experiment, which may be called by its former name.

    Raises:
        UserError: when there is none of that name.
    """
    files = experiments()
    name = FORMER_NAMES.get(name, name)
    if name not in files:
        known = ", ".join(sorted(files))
        raise UserError(f"There is no experiment {name!r}; the files in configs/experiments/ are {known}.")
    return files[name]


def title(file: Path) -> str:
    """Return what the first line of a configuration file says about it."""
    return file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def search_space(agent: str) -> dict[str, Any]:
    """Return where ``unlearn-gym tune`` looks for an agent's settings, setting → range or choices; empty if nowhere."""
    return _agent_file("tuning", agent)


def table(agent: str) -> dict[str, Any]:
    """Return the whole file of an agent, environment id (or ``default``) → settings; empty if it has no file."""
    return _agent_file("agents", agent)


def _agent_file(folder: str, agent: str) -> dict[str, Any]:
    file = resources.files(__name__).joinpath(folder, f"{agent}.yaml")
    return read(file.read_text(encoding="utf-8"), f"configs/{folder}/{agent}.yaml") if file.is_file() else {}
