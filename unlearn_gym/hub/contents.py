"""What may go to a hub: a trained agent, or an unlearned model, as safetensors and JSON and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from unlearn_gym.agents.common import saving, serialization
from unlearn_gym.agents.training.config import CONFIG, stored_config
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.model import DiffusionModel
from unlearn_gym.storage.checksums import MANIFEST, damaged
from unlearn_gym.storage.files import user_path

AGENT, DIFFUSION, CLASSIFIER = "agent", "diffusion", "classifier"
PATTERNS = ["*.safetensors", "*.json"]
"""Files that go to a hub and come from it, beside the card."""
WEIGHTS = "model.safetensors"
RESULTS = "results.json"
"""The numbers of a report, or of an output folder of ``unlearn-gym apply``."""


@dataclass(frozen=True)
class Contents:
    """What is pushed.

    Attributes:
        kind: ``agent``, ``diffusion`` or ``classifier``.
        files: name in the repository → file here.
        about: what is known of it: of an agent ``agent.json``, and the ``env`` it was trained in; of a model the
            ``results`` of ``unlearn-gym apply``, where it comes from there.
        name: of the folder that was given, by which an agent is found in a report.
    """

    kind: str
    files: dict[str, Path]
    name: str
    about: dict[str, Any] = field(default_factory=dict)


def contents_of(path: str | Path) -> Contents:
    """Return what lies at a path, checked as a whole.

    Args:
        path: an agent or the folder of its run; the output folder of ``unlearn-gym apply``; a diffusers folder; or
            a classifier's ``.safetensors`` file.

    Raises:
        UserError: when nothing of that is there, or it is damaged.
    """
    place = user_path(path)
    agent = saving.find(place)
    if agent is not None:
        return _agent(agent, place)
    results = read_object(place / RESULTS) if (place / RESULTS).is_file() else {}
    model = place / str(results["model"]) if "model" in results else place
    if model.is_file() and model.suffix == ".safetensors":
        return Contents(CLASSIFIER, {WEIGHTS: _checked(model)}, place.name, {"results": results})
    if model.is_dir() and any(model.rglob("*.safetensors")):
        DiffusionModel.load(model)  # or it says what is wrong
        files = {file.relative_to(model).as_posix(): file for file in _wanted(model)}
        return Contents(DIFFUSION, files, place.name, {"results": results})
    raise UserError(
        f"{path} is neither an agent nor a model; give a run folder of unlearn-gym train, an output folder of "
        "unlearn-gym apply, a diffusers folder or a .safetensors file."
    )


def check_whole(folder: Path, repo_id: str) -> None:
    """Refuse what came from a hub and is not what was pushed.

    Raises:
        UserError: where there is no manifest, or a file is missing or differs from it.
    """
    changed = damaged(folder)
    if changed is None:
        raise UserError(
            f"{repo_id} has no {MANIFEST}, so that nothing says whether it is whole; a model that was not pushed from "
            "here is fetched by huggingface_hub.snapshot_download, and its folder given as model=."
        )
    if changed:
        raise UserError(f"{repo_id} is damaged: {', '.join(changed)}, not as in {MANIFEST}; push it again.")


def _agent(folder: Path, place: Path) -> Contents:
    serialization.load(folder, saving.FILE)  # or it says what is wrong
    about: dict[str, Any] = {"agent": read_object(folder / f"{saving.FILE}.json")}
    if (place / CONFIG).is_file():
        stored = stored_config(str(place))
        about |= {key: stored[key] for key in ("env", "env_kwargs", "total_timesteps", "seed")}
    files = {name: folder / name for name in serialization.files(saving.FILE) if name != MANIFEST}
    return Contents(AGENT, files, place.name, about)


def _wanted(folder: Path) -> list[Path]:
    found = sorted(file for pattern in PATTERNS for file in folder.rglob(pattern))
    return [file for file in found if file.name != MANIFEST]


def _checked(file: Path) -> Path:
    try:
        with safe_open(file, framework="pt") as tensors:
            if len(tensors.keys()):
                return file
        raise UserError(f"{file} holds no weights; give a classifier's .safetensors file.")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{file} cannot be read ({error}); give a whole .safetensors file.") from error


def read_object(file: Path) -> dict[str, Any]:
    """Read a file of JSON that holds an object.

    Raises:
        UserError: when it cannot be read, or holds anything else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be read ({error}); make it again.") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} is not an object of JSON; make it again.")
    return content
