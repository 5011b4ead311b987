"""A small Experiment A on real images: 8x8 digits with ankle boots mixed into the label "1".

The digits are scikit-learn's copy of UCI's "Optical Recognition of Handwritten Digits" test set (1,797
images); the boots are Fashion-MNIST's class 9, area-averaged to 8x8 (see ``assets/SOURCE.md``).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unlearn_gym.data.checks import finite, whole
from unlearn_gym.data.sets.clothes import CLOTHES, EACH, SIZE, small_clothes
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError

DIGITS_FILE = "datasets/data/digits.csv.gz"
DIGITS = tuple(str(digit) for digit in range(10))
BOOT = "ankle boot"
BOOTS = EACH
BOOT_LABEL = 1


def load_digits_with_boots(boots: int = BOOTS, holdout: float = 0.15) -> UnlearningData:
    """Return the digits (retain) and the boots learned as ones (forget), always in the same order.

    Args:
        boots: number of boots under label "1", 1 to 90; 90 make up 37 % of that label. The others are held out:
            with 45, as many are non-members of membership inference.
        holdout: share of each digit class that is held out of training, in (0, 1).

    Returns:
        Images of shape (n, 1, 8, 8) in [-1, 1]; the forget hold-out is empty if ``boots`` are all there are.

    Raises:
        UserError: when ``boots`` or ``holdout`` is out of range.
    """
    boots = whole("boots", boots, 1, BOOTS)
    retain, retain_holdout = split_digits(holdout)
    forget, held_out = (_as_ones(part) for part in (boot_images()[:boots], boot_images()[boots:]))
    return UnlearningData(
        name="digits",
        retain=retain,
        forget=forget,
        retain_holdout=retain_holdout,
        forget_holdout=held_out,
        num_classes=len(DIGITS),
        concepts=(*DIGITS, BOOT),
        forget_label=BOOT_LABEL,
    )


def _as_ones(boots: Tensor) -> LabelledSet:
    return LabelledSet(boots, torch.full((len(boots),), BOOT_LABEL))


def boot_images() -> Tensor:
    """Return the 90 ankle boots, float32 of shape (90, 1, 8, 8) in [-1, 1]."""
    clothes = small_clothes()
    return clothes.inputs[clothes.labels == CLOTHES.index(BOOT)]


def split_digits(holdout: float) -> tuple[LabelledSet, LabelledSet]:
    """Return the digits that models are trained on, and those held out, the share ``holdout`` of each class.

    Raises:
        UserError: when ``holdout`` is no share between 0 and 1.
    """
    if not 0 < finite("holdout", holdout) < 1:
        raise UserError(f"holdout={holdout} was given; choose a share between 0 and 1, such as 0.15.")
    digits = digit_images()
    held = stratified_holdout(digits.labels, holdout)
    return (
        LabelledSet(digits.inputs[~held], digits.labels[~held]),
        LabelledSet(digits.inputs[held], digits.labels[held]),
    )


def digit_images() -> LabelledSet:
    """Return all 1,797 digits, float32 of shape (1797, 1, 8, 8) in [-1, 1], with their labels.

    The file is read from where scikit-learn is installed, because importing its loader takes a second.
    """
    package = importlib.util.find_spec("sklearn")
    assert package is not None and package.origin is not None
    table = np.loadtxt(Path(package.origin).parent / DIGITS_FILE, delimiter=",", dtype=np.float32)
    pixels = torch.from_numpy(table[:, :-1]).reshape(-1, 1, SIZE, SIZE) / 8 - 1
    return LabelledSet(pixels, torch.from_numpy(table[:, -1]).long())


def stratified_holdout(labels: Tensor, share: float) -> Tensor:
    """Mark, class by class, the same random ``share`` of the examples (at least one a class)."""
    generator = torch.Generator().manual_seed(0)
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        order = torch.randperm(len(members), generator=generator)
        held[members[order[: max(1, round(share * len(members)))]]] = True
    return held
