"""Named image data sets: from the folder UNLEARN_GYM_DATA where it has them, else from the hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from unlearn_gym.errors import UserError
from unlearn_gym.files import user_path

DATA_VARIABLE = "UNLEARN_GYM_DATA"
SPLITS = ("train", "test")


@dataclass(frozen=True)
class HubDataset:
    """Where a data set lies.

    Attributes:
        repository: its id on the hub.
        folders: its possible folders under ``UNLEARN_GYM_DATA``; the first one that has the files is taken.
    """

    repository: str
    folders: tuple[str, ...]


HUB: dict[str, HubDataset] = {
    "mnist": HubDataset("ylecun/mnist", ("mnist",)),
    "fashion_mnist": HubDataset("zalando-datasets/fashion_mnist", ("fashion_mnist", "fashion_mnist_sample")),
    "cifar10": HubDataset("uoft-cs/cifar10", ("cifar10", "cifar10_45k")),
    "cifar100": HubDataset("uoft-cs/cifar100", ("cifar100",)),
}


def find_dataset(name: str, split: str) -> list[Path]:
    """Return the parquet files of one split of a named data set, in order.

    Args:
        name: one of ``HUB``.
        split: ``"train"`` or ``"test"``.

    Raises:
        UserError: for an unknown name, or when neither the local folder nor the hub has the split.
    """
    dataset = _known(name)
    folder = local_folder(name, split)
    return _files(_root() / folder, split) if folder else _downloaded(name, dataset, split)


def find_splits(name: str) -> dict[str, list[Path]]:
    """Return the parquet files of both splits, train and test, from one and the same source.

    A local folder that lacks one of them is not used: the training images of one source and the test images
    of another may overlap.

    Raises:
        UserError: for an unknown name, or when neither the local folder nor the hub has both.
    """
    dataset = _known(name)
    folder = local_folder(name, *SPLITS)
    if folder:
        return {split: _files(_root() / folder, split) for split in SPLITS}
    missing_first = sorted(SPLITS, key=lambda split: bool(local_folder(name, split)))  # named in the message
    found = {split: _downloaded(name, dataset, split) for split in missing_first}
    return {split: found[split] for split in SPLITS}


def local_folder(name: str, *splits: str) -> str | None:
    """Return the folder under ``UNLEARN_GYM_DATA`` that has all the splits of a named data set, if one has."""
    if not os.environ.get(DATA_VARIABLE):
        return None
    whole = (f for f in _known(name).folders if all(_files(_root() / f, split) for split in splits))
    return next(whole, None)


def _known(name: str) -> HubDataset:
    if name not in HUB:
        raise UserError(f"There is no data set {name!r}; choose one of {', '.join(sorted(HUB))}.")
    return HUB[name]


def _root() -> Path:
    return user_path(os.environ[DATA_VARIABLE])


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
            f"The {split} split of {name!r} is neither in {DATA_VARIABLE}/{dataset.folders[0]} nor could "
            f"{dataset.repository} be downloaded ({type(error).__name__}); set {DATA_VARIABLE} to a folder "
            "that has it, or go online."
        ) from error
    if not files:
        raise UserError(f"{dataset.repository} has no split {split!r}; choose 'train' or 'test'.")
    return files


def _files(folder: Path, split: str) -> list[Path]:
    return sorted(folder.rglob(f"{split}-*.parquet"))
