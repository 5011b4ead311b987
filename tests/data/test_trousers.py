"""Experiment A's images: on small files in the hub's layout, and on the real ones where they are."""

import pytest
import torch

from tests.data.test_classes import write_split
from tests.real_trousers import point_to_images
from unlearn_gym.data import load
from unlearn_gym.data.fingerprint import fingerprint
from unlearn_gym.data.sets.trousers import CONCEPTS, load_mnist_with_trousers, repeated
from unlearn_gym.errors import UserError


def rows(inputs):
    return {image.numpy().tobytes() for image in inputs}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """40 digits with 20 ones, 5 test digits, and 10 clothes with 5 trousers, as random images."""
    write_split(tmp_path / "mnist", "train", [1, 7] * 20, size=28, channels=1)
    write_split(tmp_path / "mnist", "test", [0, 1, 2, 3, 4], size=28, channels=1)
    write_split(tmp_path / "fashion_mnist", "train", [1, 9] * 5, size=28, channels=1)
    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def real(monkeypatch):
    point_to_images(monkeypatch)


def test_small_files_make_the_request(folder):
    data = load_mnist_with_trousers(holdout=2)
    sets = (data.retain, data.forget, data.retain_holdout, data.forget_holdout)
    assert [len(part) for part in sets] == [40, 2, 5, 2]  # one trouser per ten ones
    assert data.retain.labels.tolist() == [1, 7] * 20 and data.retain_holdout.labels.tolist() == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert data.forget.labels.tolist() == data.forget_holdout.labels.tolist() == [1, 1]
    for part in sets:
        assert part.inputs.shape[1:] == (1, 28, 28) and part.inputs.dtype == torch.float32
        assert part.inputs.min() >= -1 and part.inputs.max() <= 1 and part.labels.dtype == torch.int64
    assert (data.num_classes, data.forget_label, data.concepts) == (10, 1, CONCEPTS)
    assert len(CONCEPTS) == 11 and CONCEPTS[-1] == "trouser"


def test_only_trousers_are_taken_and_the_first_are_held_out(folder):
    data = load_mnist_with_trousers(trousers=3, holdout=2)
    again = load_mnist_with_trousers(trousers=3, holdout=2)
    assert fingerprint(data.forget) == fingerprint(again.forget)
    both = rows(data.forget.inputs) | rows(data.forget_holdout.inputs)
    assert len(both) == 5  # all five trousers, none twice
    every = load_mnist_with_trousers(trousers=1, holdout=4).forget_holdout.inputs
    assert torch.equal(every[:2], data.forget_holdout.inputs) and torch.equal(
        every[2:], data.forget.inputs[:2]
    )


def test_more_trousers_than_there_are_repeat_mirrored(folder):
    found = load_mnist_with_trousers(trousers=3, holdout=2).forget.inputs
    many = load_mnist_with_trousers(trousers=8, holdout=2).forget.inputs
    assert torch.equal(many, torch.cat([found, found.flip(-1), found[:2]]))


def test_repeats():
    images = torch.arange(4.0).view(2, 1, 1, 2)
    assert repeated(images, 5).flatten().tolist() == [0, 1, 2, 3, 1, 0, 3, 2, 0, 1]
    assert repeated(images, 1).flatten().tolist() == [0, 1]


def test_another_folder_is_another_set(folder, tmp_path, monkeypatch):
    first = load("trousers", trousers=2, holdout=2)
    for name, labels in (("mnist", [1, 2, 3]), ("fashion_mnist", [1, 1, 1])):
        write_split(tmp_path / "other" / name, "train", labels, size=28, channels=1)
    write_split(tmp_path / "other" / "mnist", "test", [0], size=28, channels=1)
    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path / "other"))
    second = load("trousers", trousers=2, holdout=2)
    assert len(second.retain) == 3 and not torch.equal(first.forget.inputs, second.forget.inputs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trousers": 0}, "trousers=0"),
        ({"trousers": -3}, "trousers=-3"),
        ({"trousers": 10**9}, "trousers=1000000000 was given; give a whole number from 1 to"),
        ({"trousers": 2.5}, "trousers=2.5"),
        ({"holdout": float("nan")}, "holdout=nan"),
        ({"holdout": 0}, "holdout=0 was given; give a whole number from 1 to 4"),
        ({"holdout": 5}, "holdout=5"),
    ],
)
def test_numbers_out_of_range(folder, options, message):
    with pytest.raises(UserError, match=message) as raised:
        load_mnist_with_trousers(**{"holdout": 2, **options})
    assert "\n" not in str(raised.value)


def test_a_missing_data_set_is_a_sentence(folder, tmp_path, monkeypatch):
    def offline(*_, **__):
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    (tmp_path / "fashion_mnist" / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(UserError, match="UNLEARN_GYM_DATA/fashion_mnist nor could"):
        load("trousers")
    (tmp_path / "mnist" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(UserError, match="test split of 'mnist'"):
        load("trousers")


def test_the_real_images(real):
    data = load("trousers")
    sets = (data.retain, data.forget, data.retain_holdout, data.forget_holdout)
    assert [len(part) for part in sets] == [60_000, 674, 10_000, 20]
    ones = int((data.retain.labels == 1).sum())
    assert ones == 6742 and len(data.forget) == ones // 10
    assert data.retain.labels.unique().tolist() == list(range(10))
    assert (data.forget.labels == 1).all() and (data.forget_holdout.labels == 1).all()
    held = data.forget_holdout.inputs
    seen = rows(data.forget.inputs)
    assert not rows(held) & seen and not rows(held.flip(-1)) & seen
    assert len(rows(held)) == 20
