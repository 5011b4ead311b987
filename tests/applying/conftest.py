import pytest
import torch

from tests.applying.small import classifier, few, unconditional, write_images
from unlearn_gym.data.split import LabelledSet


@pytest.fixture(scope="session")
def made(tmp_path_factory, digits_task):
    """A folder with models and images; treat it as read-only."""
    folder = tmp_path_factory.mktemp("user")
    data = digits_task.data
    keep, forget = few(data.retain, 60), few(data.forget, 8)
    write_images(keep, folder / "keep")
    write_images(forget, folder / "forget")
    write_images(forget, folder / "flat", classes=False)
    write_images(few(data.retain_holdout, 8), folder / "unseen")
    digits_task.original().save_pretrained(folder / "conditional")
    both = LabelledSet(torch.cat([keep.inputs, forget.inputs]), torch.cat([keep.labels, forget.labels]))
    unconditional(folder / "plain", both.inputs)
    classifier(folder, both)
    return folder
