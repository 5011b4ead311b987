"""The source code that a run's numbers come from: every module of the package that a run can import."""

from __future__ import annotations

import ast
import hashlib
import inspect
import marshal
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from unlearn_gym.metrics.glossary import GLOSSARY
from unlearn_gym.storage.files import write_text

PACKAGE = "unlearn_gym"
ROOTS = (
    "registration",
    "evaluation.runner",
    "evaluation.execution",
    "evaluation.benchmark.experiment",
    "evaluation.evaluators.*",
    "agents.*",
    "methods.*",
    "metrics.*",
)
"""Where the imports are followed from; ``*`` stands for what is imported by name, at run time, from a registry."""
BESIDE = ("report", "results", "statistics", "figures", "publish", "published", "certificates")
"""Modules of the evaluation that only show numbers: tables and pictures may change without a run being made again."""
NAMED = re.compile(rf"{PACKAGE}((?:\.\w+)+):\w+")
"""An entry point as text."""


@cache
def code_digest(folder: Path = Path(__file__).parents[1]) -> str:
    """Return the SHA-256 of the source of all modules that a run can import, in the order of their names.

    Imports are followed through the text, those inside functions and entry points given as text too, so that the
    digest depends neither on what a process has imported already nor on which agent it runs.

    Args:
        folder: of the package.
    """
    result = hashlib.sha256()
    for name, text in sorted(sources(folder).items()):
        result.update(f"{name}\0{text}\0".encode())
    return result.hexdigest()


def note_code(runs: Iterable[Path]) -> None:
    """Write beside trainings that are about to begin which code they are made with; warn of those of another code.

    Args:
        runs: folders of trainings, those that are there already being finished or gone on with as they are.
    """
    for run in runs:
        file = run.with_name(f"{run.name}.code")
        if not run.is_dir():
            write_text(file, code_digest())
        elif file.is_file() and file.read_text(encoding="utf-8") != code_digest():
            warnings.warn(
                f"{run} was trained by another state of this package's code than runs are made with now; delete that "
                "folder to train it anew.",
                stacklevel=3,
            )


def registered() -> dict[str, str]:
    """Return metric → SHA-256 of the file, or the code, of those that were registered from outside the package."""
    found = {}
    for name, metric in GLOSSARY.items():
        measure = metric.measure
        if measure is None or getattr(measure, "__module__", "").startswith(f"{PACKAGE}."):
            continue
        try:
            content = Path(inspect.getsourcefile(measure) or "").read_bytes()
        except (TypeError, OSError):  # typed into a console
            content = (
                marshal.dumps(measure.__code__) if hasattr(measure, "__code__") else repr(measure).encode()
            )
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def sources(folder: Path) -> dict[str, str]:
    """Return module name below the package → source, for every module that a run can import."""
    waiting = [name for root in ROOTS for name in _expanded(folder, root)]
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        file = _file(folder, name)
        if name in found or file is None or _only_shows(name):
            continue
        found[name] = file.read_text(encoding="utf-8")
        waiting += _imported(found[name])
    return found


def _expanded(folder: Path, root: str) -> list[str]:
    if not root.endswith(".*"):
        return [root]
    start = folder / root[:-2].replace(".", "/")
    parts = [file.relative_to(folder).with_suffix("").parts for file in start.rglob("*.py")]
    return [".".join(names[:-1] if names[-1] == "__init__" else names) for names in parts]


def _file(folder: Path, name: str) -> Path | None:
    path = folder / name.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _only_shows(name: str) -> bool:
    return name.startswith("evaluation.") and any(part in BESIDE for part in name.split("."))


def _imported(text: str) -> Iterator[str]:
    """Yield what a module imports from the package, each name without the package's own; some are no modules."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [PACKAGE + match.group(1) for match in NAMED.finditer(node.value)]
        else:
            continue
        yield from (name.partition(".")[2] for name in names if name.startswith(f"{PACKAGE}."))
