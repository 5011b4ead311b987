"""What a benchmark was run on, in words: the split of the data, and what was scaled down."""

from __future__ import annotations

from unlearn_gym.data.readers.hub import DATA_VARIABLE, HUB, local_folder
from unlearn_gym.evaluation.benchmark.experiment import BenchmarkExperiment, Scale
from unlearn_gym.models.mixed import FULL

PUBLISHED_EPOCHS = Scale().epochs

SPLITS = {
    "cifar10_45k": "its training set is the first 45,000 published training images, its test set the last "
    "5,000 published training images and the first 1,000 published test images: not the published split"
}
"""Folders whose split is not the published one."""


def scale_sentence(experiment: BenchmarkExperiment, prefix: str = "") -> str:
    """Say what was scaled down from the benchmark's protocol; nothing at all for the full protocol."""
    parts = []
    if experiment.scale.epochs != PUBLISHED_EPOCHS:
        parts.append(f"{experiment.scale.epochs} of {PUBLISHED_EPOCHS} unlearning epochs")
    if experiment.scale.precision != FULL:
        parts.append(f"passes in {experiment.scale.precision}")
    scaled = experiment.task().scaled
    if scaled:
        parts.append(scaled)
    return prefix + ", ".join(parts) if parts else ""


def data_sentence(experiment: BenchmarkExperiment) -> str:
    """Say where the data came from, and how many images there are on each side."""
    data = experiment.task().data
    label = data.forget_label
    name = "" if label is None else data.class_names[label]
    called = f"class {label}" + (f", {name}" if name not in ("", str(label)) else "")
    return (
        f"Data: {_source(data.name)}; {len(data.retain):,} retain and {len(data.forget):,} forget training "
        f"images ({called}), {len(data.retain_holdout):,} and {len(data.forget_holdout):,} "
        "test images."
    )


def _source(name: str) -> str:
    if name not in HUB:
        return "scikit-learn's 8×8 digits, 30 % of each class held out for testing"
    folder = local_folder(name, "train", "test")
    if folder:
        split = f" ({SPLITS[folder]})" if folder in SPLITS else ""
        return f"the folder `{folder}` of {DATA_VARIABLE}{split}"
    return f"the published split of `{HUB[name].repository}`"
