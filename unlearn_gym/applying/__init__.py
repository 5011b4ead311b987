"""Unlearning applied: one deletion request on a user's own model, from their images to the report.

``apply`` here and ``unlearn-gym apply`` are the same.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from unlearn_gym.applying.folder import RESULTS
from unlearn_gym.applying.settings import Settings, Sources
from unlearn_gym.applying.work import LOG, carry_out
from unlearn_gym.runtime import command_line
from unlearn_gym.storage.files import user_path

__all__ = ["Applied", "Settings", "Sources", "apply"]


@dataclass(frozen=True)
class Applied:
    """What ``apply`` wrote.

    Attributes:
        folder: the output folder.
    """

    folder: Path

    @cached_property
    def results(self) -> dict[str, Any]:
        """What ``results.json`` holds."""
        return json.loads((self.folder / RESULTS).read_text(encoding="utf-8"))

    @property
    def numbers(self) -> dict[str, dict[str, Any]]:
        """Name of a metric → before and after; losses with their change and half of its 95 % interval."""
        return self.results["numbers"]

    @property
    def warnings(self) -> list[str]:
        """What was warned of during the run."""
        return self.results["warnings"]

    @property
    def model(self) -> Path:
        """The unlearned model: a diffusers folder, or a .safetensors file."""
        return self.folder / self.results["model"]

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.folder / "report.html"

    @property
    def log(self) -> Path:
        """The updates, one a row."""
        return self.folder / LOG


def apply(
    model: Any,
    retain: Any,
    forget: Any,
    output: str | os.PathLike[str],
    *,
    factory: Any = None,
    scheduler: Any = None,
    class_names: Any = None,
    non_members: Any = None,
    image_shape: Sequence[int] = (),
    **settings: Any,
) -> Applied:
    """Unlearn images from a model, as ``unlearn-gym apply`` does; the model given stays as it is.

    The same call again goes on where it was broken off, and returns at once where it is done.

    Args:
        model: a diffusers folder or what else ``SISS-v0`` takes, a classifier's .safetensors file, or the module.
        retain: images to keep: a folder, or what else ``SISS-v0`` takes.
        forget: images to forget.
        output: the folder that is made.
        factory: a function that returns the classifier's module, or ``path/to/file.py:function``.
        scheduler: noise schedule of a UNet that comes without one.
        class_names: which class name has which number, see docs/own_data.md.
        non_members: images like those to forget that the model never saw.
        image_shape: (channels, height, width) of a classifier's images, where they are no folder.
        **settings: what else ``unlearn-gym apply --help`` lists, such as ``steps=100``.

    Returns:
        Paths and numbers.

    Raises:
        UserError: for bad input, before any work; for a run that diverges.
    """
    checked = command_line.check(Settings, settings, "apply")
    sources = Sources(model, retain, forget, factory, scheduler, class_names, non_members, tuple(image_shape))
    given = {
        "model": model,
        "retain": retain,
        "forget": forget,
        "output": os.fspath(output),
        "factory": factory,
    }
    given |= {"scheduler": scheduler, "class_names": class_names, "non_members": non_members}
    given |= {"image_shape": tuple(image_shape) or None} | settings
    call = ", ".join(f"{name}={_shown(value)}" for name, value in given.items() if value is not None)
    return run(sources, checked, user_path(output), f"unlearn_gym.apply({call})", lambda said: None)


def run(
    sources: Sources,
    settings: Settings,
    output: Path,
    command: str | Sequence[str],
    say: Callable[[str], None],
) -> Applied:
    """Carry a request out; see ``apply`` and ``unlearn_gym.applying.work.carry_out``."""
    told = command if isinstance(command, str) else shlex.join(command)
    carry_out(sources, settings, output, told, say)
    return Applied(output)


def _shown(value: Any) -> str:
    """Write an argument as it was given, or, where that is long, its type."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    plain = isinstance(value, str | int | float | bool | tuple | dict)
    return repr(value) if plain else f"<{type(value).__name__}>"
