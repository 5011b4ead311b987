"""What is asked of a hub, and its failures in one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.command_line import one_line

LONGEST = 200
"""Characters of what a hub said that are passed on."""
ADVICE = {
    "HFValidationError": "give it as USER/NAME",
    "LocalTokenNotFoundError": "log in first: hf auth login",
    "GatedRepoError": "ask its owner for access, and log in: hf auth login",
    "RepositoryNotFoundError": "check its name, and log in if it is private: hf auth login",
    "RevisionNotFoundError": "choose a branch, tag or commit that it has",
}
"""Class of a failure, or of what it is derived from → what to do."""
OTHERWISE = "check that you are online, logged in (hf auth login) and may do so, and try again"


class Hub(Protocol):
    """The three methods of ``huggingface_hub.HfApi`` that are used; anything that has them will do."""

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> Any:
        """Make a repository, or find it there; its text is its address."""

    def upload_folder(
        self, *, repo_id: str, folder_path: str | Path, commit_message: str, delete_patterns: list[str]
    ) -> Any:
        """Add a folder's files in one commit, and remove others that match the patterns."""

    def snapshot_download(self, repo_id: str, *, revision: str | None, allow_patterns: list[str]) -> Any:
        """Fetch the files that match, and return their folder."""


def default_hub() -> Hub:
    """Return the hub that ``HF_ENDPOINT`` names, Hugging Face's own by default."""
    from huggingface_hub import HfApi

    return HfApi(library_name="unlearn-gym")


@contextlib.contextmanager
def told(repo_id: str, what: str) -> Iterator[None]:
    """Turn whatever a hub raises into a sentence.

    Args:
        repo_id: the repository.
        what: what could not be done to it.

    Raises:
        UserError: the sentence.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # a hub fails in many ways: names, rights, networks, disks
        kinds = (kind.__name__ for kind in type(error).__mro__)
        advice = next((ADVICE[kind] for kind in kinds if kind in ADVICE), OTHERWISE)
        said = one_line(error)[:LONGEST] or type(error).__name__
        raise UserError(f"{repo_id} could not be {what} ({said}); {advice}.") from error
