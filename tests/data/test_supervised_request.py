"""A user's own classification or regression data."""

import numpy as np
import pytest
import torch

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.data.supervised_request import supervised_request
from unlearn_gym.errors import UserError

INPUTS = np.zeros((4, 2), dtype=np.float64)
LABELS = np.array([0, 1, 2, 1])


def test_pairs_and_labelled_sets():
    data = supervised_request(
        (INPUTS, LABELS), LabelledSet(torch.ones(1, 2), torch.tensor([2])), num_classes=3
    )
    assert data.retain.inputs.dtype == torch.float32 and data.retain.labels.tolist() == [0, 1, 2, 1]
    assert len(data.forget) == 1 and len(data.retain_holdout) == len(data.forget_holdout) == 0


def test_regression_targets_become_columns():
    data = supervised_request((INPUTS, LABELS * 0.5), (INPUTS, np.zeros((4, 1))), num_classes=0)
    assert data.retain.labels.shape == (4, 1) and data.retain.labels.dtype == torch.float32


def test_images_are_brought_to_shape():
    images = np.zeros((3, 16, 16), dtype=np.uint8)
    with pytest.warns(UserWarning, match="resized"):
        data = supervised_request(
            LabelledSet(torch.from_numpy(images), torch.tensor([0, 1, 1])),
            images[:, None],
            num_classes=2,
            image_shape=(3, 8, 8),
            label=1,
        )
    assert data.retain.inputs.shape == (3, 3, 8, 8) and data.forget.labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("retain", "message"),
    [
        (INPUTS, "no pair"),
        ("somewhere", "no pair"),
        ((INPUTS, LABELS * 5), "labels from 0 to 10; the model knows 0 to 2"),
        ((INPUTS, LABELS * 1.0), "give 4 whole numbers"),
        ((INPUTS * np.nan, LABELS), "not finite"),
        ((INPUTS[:0], LABELS[:0]), "empty"),
        ((INPUTS, LABELS[:2]), "one label per input"),
    ],
)
def test_bad_data(retain, message):
    with pytest.raises(UserError, match=message):
        supervised_request(retain, (INPUTS, LABELS), num_classes=3)
