"""Class-unlearning requests: what is forgotten, what is kept, and what is refused."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from unlearn_gym.data.augment import augment
from unlearn_gym.data.readers import parquet
from unlearn_gym.data.readers.hub import find_dataset
from unlearn_gym.data.readers.pixels import PixelFormat, decode_bytes
from unlearn_gym.data.sets.classes import LabelledImages, class_unlearning, share_of, split_request
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError


def write_split(folder, split, labels, *, size, channels, image="image", label="label", names=()):
    """Write random images in the hub's layout."""
    rng = np.random.default_rng(len(labels))
    rows = []
    for _ in labels:
        shape = (size, size, 3) if channels == 3 else (size, size)
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(buffer, "PNG")
        rows.append({"bytes": buffer.getvalue(), "path": None})
    folder.mkdir(parents=True, exist_ok=True)
    features = {"info": {"features": {label: {"names": names, "_type": "ClassLabel"}}}}
    table = pa.table({image: rows, label: labels}).replace_schema_metadata(
        {"huggingface": json.dumps(features)}
    )
    pq.write_table(
        table if names else table.replace_schema_metadata(), folder / f"{split}-00000-of-00001.parquet"
    )


def test_digits_without_zero():
    data = class_unlearning("digits")
    assert data.num_classes == 10 and data.forget_label == 0
    for keep, forget in ((data.retain, data.forget), (data.retain_holdout, data.forget_holdout)):
        assert not (keep.labels == 0).any()
        assert (forget.labels == 0).all() and len(forget)
    total = sum(map(len, (data.retain, data.forget, data.retain_holdout, data.forget_holdout)))
    assert total == 1797


def test_single_images():
    data = class_unlearning("digits", forget_indices=[3, 5])
    assert len(data.forget) == 2 and len(data.forget_holdout) == 0 and data.forget_label is None
    whole = class_unlearning("digits")
    assert len(data.retain_holdout) == len(whole.retain_holdout) + len(whole.forget_holdout)


def test_fraction_keeps_every_class():
    data = class_unlearning("digits", fraction=0.01)
    assert torch.cat([data.retain.labels, data.forget.labels]).unique().tolist() == list(range(10))
    assert len(data.retain) + len(data.forget) == 10


def test_share_is_the_same_each_time_and_in_order():
    examples = LabelledSet(torch.arange(40.0), torch.arange(40) % 2)
    first, second = (share_of(examples, 0.25).inputs for _ in range(2))
    assert torch.equal(first, second) and len(first) == 10
    assert torch.equal(first, first.sort().values)


def test_cifar100_layout_from_the_local_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path))
    for split, labels in (("train", [0, 0, 1, 99]), ("test", [0, 1])):
        write_split(
            tmp_path / "cifar100", split, labels, size=32, channels=3, image="img", label="fine_label"
        )
    data = class_unlearning("cifar100")
    assert data.num_classes == 100
    assert data.retain.inputs.shape == (2, 3, 32, 32) and data.retain.labels.tolist() == [1, 99]
    assert len(data.forget) == 2 and len(data.forget_holdout) == 1


@pytest.mark.parametrize(
    ("names", "called"), [([f"animal {k}" for k in range(10)], "animal 3"), (["cat", "dog"], "3")]
)
def test_classes_are_called_as_the_files_call_them(names, called, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path))
    for split in ("train", "test"):
        write_split(tmp_path / "cifar10", split, [0, 1], size=32, channels=3, image="img", names=names)
    assert class_unlearning("cifar10").class_names[3] == called


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """Two training files and one test file in the local folder; returns the images that were decoded."""
    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path))
    labels = [0, 1] * 8
    write_split(tmp_path / "cifar100" / "b", "train", labels, size=32, channels=3, image="img")
    write_split(tmp_path / "cifar100" / "a", "train", labels[:10], size=32, channels=3, image="img")
    write_split(tmp_path / "cifar100", "test", labels[:4], size=32, channels=3, image="img")
    decoded = []

    def count(files, form, source):
        files = list(files)
        decoded.extend(name for _, name in files)
        return decode_bytes(files, form, source)

    monkeypatch.setattr(parquet, "decode_bytes", count)
    return decoded


def test_only_the_share_is_decoded_and_it_is_the_same_share(small_cifar):
    form = PixelFormat(3, 32, 32)
    whole = parquet.read_parquet(find_dataset("cifar100", "train"), form).as_set()
    small_cifar.clear()
    data = class_unlearning("cifar100", fraction=0.25)
    assert len(small_cifar) == 6 + 2
    expected = share_of(whole, 0.25)
    assert torch.equal(data.forget.inputs, expected.inputs[expected.labels == 0])
    assert torch.equal(data.retain.inputs, expected.inputs[expected.labels == 1])


def test_another_request_to_the_same_files_decodes_nothing(small_cifar, tmp_path):
    class_unlearning("cifar100", fraction=0.5)
    small_cifar.clear()
    again = class_unlearning("cifar100", forget_class=1, fraction=0.5)
    assert not small_cifar and again.forget_label == 1
    write_split(tmp_path / "cifar100", "test", [0, 1, 0], size=32, channels=3, image="img")
    class_unlearning("cifar100", fraction=0.5)
    assert small_cifar


def test_a_local_folder_without_test_images_is_not_mixed_with_the_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path / "local"))
    for folder, labels in (("local/fashion_mnist_sample", [0, 1]), ("hub", [0, 1, 1, 1])):
        write_split(tmp_path / folder, "train", labels, size=28, channels=1)
    write_split(tmp_path / "hub", "test", [0, 1], size=28, channels=1)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path / "hub"))
    assert len(class_unlearning("fashion_mnist").retain) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"forget_class": 10}, "forget_class=10 is not in 'digits'; choose one of 0, 1"),
        ({"forget_class": "0"}, "forget_class='0' is not in 'digits'"),
        ({"forget_indices": []}, "empty"),
        ({"forget_indices": 3}, "no list"),
        ({"forget_indices": [1.5]}, "1.5"),
        ({"forget_indices": [99999]}, "99999"),
        ({"fraction": 0.0}, "fraction=0.0"),
        ({"fraction": "all"}, "fraction='all'"),
    ],
)
def test_bad_requests(options, message):
    with pytest.raises(UserError, match=message):
        class_unlearning("digits", **options)


def test_labels_out_of_range_and_unknown_name():
    images = LabelledSet(torch.zeros(2, 1, 8, 8), torch.tensor([0, 7]))
    with pytest.raises(UserError, match="labels from 0 to 7; give 0 to 4"):
        split_request(LabelledImages("mine", images, images, 5))
    with pytest.raises(UserError, match="cifar10"):
        class_unlearning("cifar11")


def test_augmentation_moves_and_mirrors():
    images = torch.full((200, 1, 5, 5), -1.0)
    images[:, :, 2, 1] = 1.0
    moved = augment(images, torch.Generator().manual_seed(0), pad=1, mirror=True)
    rows, columns = moved[:, 0].flatten(1).argmax(1) // 5, moved[:, 0].flatten(1).argmax(1) % 5
    assert set(rows.tolist()) == {1, 2, 3}
    assert set(columns.tolist()) == {0, 1, 2, 3, 4}  # 0 … 2, and mirrored 2 … 4
    assert torch.equal(moved.flatten(1).sum(1), images.flatten(1).sum(1))


def test_augmentation_off_changes_nothing():
    images = torch.rand(3, 1, 4, 4)
    assert torch.equal(augment(images, torch.Generator(), pad=0, mirror=False), images)
