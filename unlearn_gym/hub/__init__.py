"""Trained agents and unlearned models on Hugging Face's hub: ``push_to_hub`` and ``from_hub``.

What travels is safetensors and JSON, with the SHA-256 of every file and a card. Nothing is pickled or unpickled, and no
code is fetched.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from unlearn_gym.errors import UserError
from unlearn_gym.hub.card import card
from unlearn_gym.hub.client import Hub, default_hub, told
from unlearn_gym.hub.contents import AGENT, PATTERNS, RESULTS, Contents, check_whole, contents_of, read_object
from unlearn_gym.storage.checksums import MANIFEST, checksums
from unlearn_gym.storage.files import atomic_directory, user_path, write_json, write_text

__all__ = ["Hub", "from_hub", "push_to_hub"]

CARD = "README.md"
LOADED_FROM = "_name_or_path"
"""Where diffusers notes, in a model's configuration, the folder that it was loaded from."""


def push_to_hub(
    path: str | Path,
    repo_id: str,
    *,
    report: str | Path | None = None,
    row: str | None = None,
    private: bool = True,
    hub: Hub | None = None,
) -> str:
    """Push an agent or an unlearned model, in one commit, with a card that has the numbers of its report.

    The safetensors and JSON files of the repository are replaced; others are left. Neither card nor configuration
    names a path of this machine.

    Args:
        path: a run folder of ``unlearn-gym train`` or a saved agent; an output folder of ``unlearn-gym apply``; a
            diffusers folder; or a classifier's ``.safetensors`` file.
        repo_id: ``USER/NAME``; it is made where it is missing.
        report: folder of ``unlearn-gym evaluate`` in which the agent is a row; a model's numbers lie in the output
            folder of ``unlearn-gym apply``.
        row: the agent's name there, where its folder does not tell.
        private: make a new repository private.
        hub: where to, Hugging Face's by default.

    Returns:
        The address of the repository.

    Raises:
        UserError: before anything is sent, when the path or the report is not what it should be; when the hub refuses.
    """
    contents = contents_of(path)
    if report is not None and contents.kind != AGENT:
        raise UserError(
            "report= belongs to an agent; the numbers of a model are those of the output folder of unlearn-gym apply."
        )
    numbers = None if report is None else read_object(user_path(report) / RESULTS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = _staged(contents, Path(temporary))
        write_text(folder / CARD, card(contents, repo_id, numbers, row))
        with told(repo_id, "pushed"):
            hub = hub or default_hub()
            address = hub.create_repo(repo_id, private=private, exist_ok=True)
            hub.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                commit_message=f"{contents.kind}, by unlearn-gym",
                delete_patterns=PATTERNS,
            )
    return str(address)


def from_hub(
    repo_id: str,
    output: str | Path | None = None,
    *,
    revision: str | None = None,
    hub: Hub | None = None,
) -> Path:
    """Fetch what ``push_to_hub`` pushed, and compare every file with its checksum.

    Args:
        repo_id: ``USER/NAME``.
        output: a folder that is made, whole or not at all; by default the files stay in the hub's own cache.
        revision: a branch, tag or commit; the newest by default.
        hub: where from, Hugging Face's by default.

    Returns:
        The folder: for ``unlearn_gym.agents.load``, or as ``model=``; of a classifier it holds ``model.safetensors``.

    Raises:
        UserError: when the hub does not give it, it was not pushed from here, or is damaged.
    """
    with told(repo_id, "fetched"):
        hub = hub or default_hub()
        fetched = Path(hub.snapshot_download(repo_id, revision=revision, allow_patterns=[*PATTERNS, CARD]))
    check_whole(fetched, repo_id)
    if output is None:
        return fetched
    names = [
        *read_object(fetched / MANIFEST)["sha256"],
        MANIFEST,
        *([CARD] if (fetched / CARD).is_file() else []),
    ]
    with atomic_directory(output) as folder:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fetched / name, folder / name)
    return user_path(output)


def _staged(contents: Contents, folder: Path) -> Path:
    """Copy the files into an empty folder, without the paths that configurations hold, with their manifest."""
    for name, file in contents.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".json" and f'"{LOADED_FROM}"' in file.read_text(encoding="utf-8"):
            config = read_object(file)
            write_json(folder / name, {key: value for key, value in config.items() if key != LOADED_FROM})
        else:
            shutil.copyfile(file, folder / name)
    write_json(folder / MANIFEST, {"sha256": checksums(folder)})
    return folder
