"""Named image data sets: from the folder UNLEARN_GYM_DATA where it has them, else from the hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from unlearn_gym.errors import UserError

DATA_VARIABLE = "UNLEARN_GYM_DATA"


@dataclass(frozen=True)
class HubDataset:
    """Where a data set lies.

    Attributes:
        repository: its id on the hub.
        folder: its folder under ``UNLEARN_GYM_DATA``.
    """

    repository: str
    folder: str


HUB: dict[str, HubDataset] = {
    "mnist": HubDataset("ylecun/mnist", "mnist"),
    "fashion_mnist": HubDataset("zalando-datasets/fashion_mnist", "fashion_mnist_sample"),
    "cifar10": HubDataset("uoft-cs/cifar10", "cifar10_45k"),
    "cifar100": HubDataset("uoft-cs/cifar100", "cifar100"),
}


def find_dataset(name: str, split: str) -> list[Path]:
    """Return the parquet files of one split of a named data set, in order.

    Args:
        name: one of ``HUB``.
        split: ``"train"`` or ``"test"``.

    Raises:
        UserError: for an unknown name, or when neither the local folder nor the hub has the split.
    """
    if name not in HUB:
        raise UserError(f"There is no data set {name!r}; choose one of {', '.join(sorted(HUB))}.")
    return _local(HUB[name], split) or _downloaded(name, HUB[name], split)


def _local(dataset: HubDataset, split: str) -> list[Path]:
    root = os.environ.get(DATA_VARIABLE)
    return _files(Path(root).expanduser() / dataset.folder, split) if root else []


def _downloaded(name: str, dataset: HubDataset, split: str) -> list[Path]:
    from huggingface_hub import snapshot_download

    try:
        pattern = f"*{split}-*.parquet"
        root = snapshot_download(dataset.repository, repo_type="dataset", allow_patterns=[pattern])
        files = _files(Path(root), split)
    except (
        Exception
    ) as error:  # offline, no such repository, no space: whatever it is, the user's way out is one
        raise UserError(
            f"The {split} split of {name!r} is neither in {DATA_VARIABLE}/{dataset.folder} nor could "
            f"{dataset.repository} be downloaded ({type(error).__name__}); set {DATA_VARIABLE} to a folder "
            "that has it, or go online."
        ) from error
    if not files:
        raise UserError(f"{dataset.repository} has no split {split!r}; choose 'train' or 'test'.")
    return files


def _files(folder: Path, split: str) -> list[Path]:
    return sorted(folder.rglob(f"{split}-*.parquet"))
