"""A folder that stands for the hub, with the methods of ``HfApi`` that are called, and its signatures."""

from __future__ import annotations

import fnmatch
import inspect
import shutil
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.utils import validate_repo_id


def _bound(name, *args, **kwargs):
    """Refuse a call that the true method would not take."""
    inspect.signature(getattr(HfApi, name)).bind(None, *args, **kwargs)


class FolderHub:
    """Repositories are folders below a root; ``commits`` counts what was pushed."""

    def __init__(self, root: Path) -> None:
        self.root, self.commits, self.private = root, [], {}

    def create_repo(self, repo_id, **kwargs):
        _bound("create_repo", repo_id, **kwargs)
        validate_repo_id(repo_id)
        (self.root / repo_id).mkdir(parents=True, exist_ok=kwargs["exist_ok"])
        self.private.setdefault(repo_id, kwargs["private"])
        return f"folder://{repo_id}"

    def upload_folder(self, **kwargs):
        _bound("upload_folder", **kwargs)
        target, source = self.root / kwargs["repo_id"], Path(kwargs["folder_path"])
        for file in self._matching(target, kwargs["delete_patterns"]):
            file.unlink()
        shutil.copytree(source, target, dirs_exist_ok=True)
        self.commits.append(kwargs["commit_message"])

    def snapshot_download(self, repo_id, **kwargs):
        _bound("snapshot_download", repo_id, **kwargs)
        validate_repo_id(repo_id)
        source, target = self.root / repo_id, self.root / "cache" / repo_id
        shutil.rmtree(target, ignore_errors=True)
        for file in self._matching(source, kwargs["allow_patterns"]):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file)  # as the cache does
        return str(target)

    @staticmethod
    def _matching(folder, patterns):
        files = [file for file in folder.rglob("*") if file.is_file()]
        return [
            file
            for file in files
            if any(fnmatch.fnmatch(file.relative_to(folder).as_posix(), pattern) for pattern in patterns)
        ]
