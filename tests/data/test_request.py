import pytest
import torch

from unlearn_gym.data import LabelledSet
from unlearn_gym.data.labels import Labels, Part
from unlearn_gym.data.request import joined_request, user_request
from unlearn_gym.errors import UserError

CONFIG = {"in_channels": 1, "sample_size": 4, "num_class_embeds": 3}
IMAGES = -torch.ones(2, 1, 4, 4)


def test_the_networks_format_is_taken():
    data = user_request(
        CONFIG, LabelledSet(IMAGES, torch.tensor([0, 1])), LabelledSet(IMAGES, torch.tensor([2, 2]))
    )
    assert data.num_classes == 3 and data.forget.labels.tolist() == [2, 2]
    assert len(data.retain_holdout) == len(data.forget_holdout) == 0


def test_labels_must_be_there_and_fit():
    retain = LabelledSet(IMAGES, torch.tensor([0, 1]))
    with pytest.raises(UserError, match="forget_data has no labels and the model has 3 classes"):
        user_request(CONFIG, retain, IMAGES)
    with pytest.raises(UserError, match="retain_data has labels from 0 to 3; the model knows 0 to 2"):
        user_request(CONFIG, LabelledSet(IMAGES, torch.tensor([0, 3])), retain)


def test_missing_labels_are_said_before_anything_is_said_of_names():
    named = Part(IMAGES, Labels(torch.tensor([0, 0]), ("red",)))
    with pytest.raises(UserError, match="forget_data has no labels and the model has 2 classes"):
        joined_request([named], [Part(IMAGES)], 2, None)


def test_an_unconditional_network_needs_no_labels():
    assert user_request({**CONFIG, "num_class_embeds": None}, IMAGES, IMAGES).num_classes == 0
