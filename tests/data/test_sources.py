import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from unlearn_gym.data.readers.hub import find_dataset
from unlearn_gym.data.sources import load_images
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError

GREY = {"channels": 1, "size": 4}


def image(value, size=(4, 4), mode="L"):
    return Image.new(mode, size, value)


def encoded(picture):
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return {"bytes": buffer.getvalue(), "path": "some.png"}


def write_parquet(path, values, labels=None, column="image"):
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {column: [encoded(image(value)) for value in values]}
    if labels is not None:
        columns["label"] = labels
    pq.write_table(pa.table(columns), path)
    return path


def means(examples):
    return examples.inputs.mean((1, 2, 3)).tolist()


def test_class_folders_give_labels(tmp_path):
    for name, value in (("cat", 0), ("dog", 255)):
        (tmp_path / name).mkdir()
        image(value).save(tmp_path / name / "a.png")
    examples = load_images(tmp_path, **GREY, num_classes=2)
    assert examples.inputs.shape == (2, 1, 4, 4) and examples.inputs.dtype == torch.float32
    assert examples.labels.tolist() == [0, 1] and means(examples) == [-1, 1]


def test_class_folders_named_by_numbers_are_those_classes(tmp_path):
    for name in ("3", "10"):
        (tmp_path / name).mkdir()
        image(0).save(tmp_path / name / "a.png")
    assert sorted(load_images(tmp_path, **GREY, num_classes=11).labels.tolist()) == [3, 10]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_flat_folder_of_every_kind(tmp_path, suffix):
    image(255).save(tmp_path / f"a.{suffix}")
    examples = load_images(tmp_path, **GREY)
    assert examples.labels.tolist() == [0] and means(examples) == [1]


def test_label_overrides(tmp_path):
    file = write_parquet(tmp_path / "a.parquet", [0, 255], labels=[0, 1])
    assert load_images(file, **GREY, label=1, num_classes=2).labels.tolist() == [1, 1]


@pytest.mark.parametrize("column", ["image", "img"])
def test_parquet_file_and_folder(tmp_path, column):
    write_parquet(tmp_path / "train-0.parquet", [0, 255], [4, 7], column)
    write_parquet(tmp_path / "train-1.parquet", [51], [1], column)
    examples = load_images(tmp_path, **GREY, num_classes=10)
    assert examples.labels.tolist() == [4, 7, 1]
    assert means(examples) == pytest.approx([-1, 1, -0.6])
    assert len(load_images(tmp_path / "train-1.parquet", **GREY)) == 1


def test_array_files_agree(tmp_path):
    pixels = np.arange(32, dtype=np.uint8).reshape(2, 1, 4, 4)
    np.save(tmp_path / "a.npy", pixels)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.array([1, 0]))
    save_file({"images": torch.tensor(pixels), "labels": torch.tensor([1, 0])}, tmp_path / "a.safetensors")
    expected = torch.tensor(pixels).float() / 127.5 - 1
    assert torch.equal(load_images(tmp_path / "a.npy", **GREY).inputs, expected)
    for name in ("a.npz", "a.safetensors"):
        examples = load_images(tmp_path / name, **GREY, num_classes=2)
        assert torch.equal(examples.inputs, expected) and examples.labels.tolist() == [1, 0]


def test_tensors_arrays_and_sets_pass_through():
    images = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(load_images(images, **GREY).inputs, images)
    assert torch.equal(load_images(images[:, 0].numpy(), **GREY).inputs, images)
    assert torch.equal(load_images(images.permute(0, 2, 3, 1), **GREY).inputs, images)
    both = load_images([LabelledSet(images, torch.tensor([0, 1, 2])), images], **GREY)
    assert len(both) == 6 and both.labels.tolist() == [0, 1, 2, 0, 0, 0]


def test_colours_are_converted():
    white = torch.ones(1, 3, 4, 4)
    red = -white.clone()
    red[:, 0] = 1
    assert load_images(red, **GREY).inputs.mean().item() == pytest.approx(2 * 0.299 - 1, abs=1e-6)
    assert load_images(-white[:, :1], channels=3, size=4).inputs.shape == (1, 3, 4, 4)


def test_other_sizes_are_resized_with_a_warning(tmp_path):
    left_half = np.zeros((8, 12), np.uint8)
    left_half[:, :6] = 255
    Image.fromarray(left_half).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="8x12.*resized to 4x4"):
        examples = load_images(tmp_path, **GREY)
    assert means(examples) == pytest.approx([0], abs=0.01)
    with pytest.warns(UserWarning, match="resized"):
        assert load_images(-torch.ones(2, 1, 9, 9), **GREY).inputs.shape == (2, 1, 4, 4)


def test_unsigned_floats_are_refused_unless_their_range_is_known():
    bright = torch.ones(1, 1, 4, 4)
    with pytest.raises(UserError, match=r"no value below 0.*give images in 0 to 1 as 2"):
        load_images(bright, **GREY)
    assert means(load_images(LabelledSet(bright, torch.tensor([0])), **GREY)) == [1]


def bad_sources(root):
    (root / "empty").mkdir()
    (root / "broken").mkdir()
    (root / "broken" / "a.png").write_bytes(b"no image")
    (root / "mixed" / "cat").mkdir(parents=True)
    image(0).save(root / "mixed" / "a.png")
    image(0).save(root / "mixed" / "cat" / "b.png")
    (root / "bad.parquet").write_bytes(b"no parquet")
    pq.write_table(pa.table({"text": ["a"]}), root / "text.parquet")
    write_parquet(root / "none.parquet", [0], [None])
    np.save(root / "pickled.npy", np.array([{}]), allow_pickle=True)
    np.savez(root / "other.npz", pixels=np.zeros(3))
    (root / "a.txt").write_text("text")
    return {
        "missing path": (root / "nowhere", "There is no"),
        "empty folder": (root / "empty", "has no images"),
        "unreadable image": (root / "broken", "a.png is not a readable image"),
        "images beside classes": (root / "mixed", "beside its class folders"),
        "unreadable parquet": (root / "bad.parquet", "not a readable parquet"),
        "parquet without images": (root / "text.parquet", "columns text"),
        "parquet without label values": (root / "none.parquet", "not whole numbers"),
        "pickled array": (root / "pickled.npy", "not a readable array file"),
        "archive without images": (root / "other.npz", "holds pixels"),
        "unknown suffix": (root / "a.txt", "no known kind"),
        "wrong type": (3.5, "the given float"),
        "empty list": ([], "the given list"),
        "wrong shape": (torch.zeros(2, 5), "has shape"),
        "no image": (torch.zeros(0, 1, 4, 4), "holds no image"),
        "wrong range": (torch.full((1, 1, 4, 4), 2.0), "from 2 to 2"),
        "not finite": (torch.full((1, 1, 4, 4), torch.nan), "from nan to nan"),
        "wrong integers": (torch.zeros(1, 1, 4, 4, dtype=torch.int32), "int32"),
        "float labels": (LabelledSet(-torch.ones(1, 1, 4, 4), torch.tensor([0.5])), "float32 labels"),
    }


def test_every_bad_source_is_one_sentence(tmp_path):
    for name, (source, message) in bad_sources(tmp_path).items():
        with pytest.raises(UserError, match=message) as caught:
            load_images(source, **GREY)
        assert "\n" not in str(caught.value), name


def test_labels_must_fit_the_model():
    images = -torch.ones(2, 1, 4, 4)
    with pytest.raises(UserError, match="has no labels and the model has 3 classes"):
        load_images(images, **GREY, num_classes=3)
    with pytest.raises(UserError, match="labels from 0 to 3; the model knows 0 to 2"):
        load_images(LabelledSet(images, torch.tensor([0, 3])), **GREY, num_classes=3)
    with pytest.raises(UserError, match="labels from 5 to 5"):
        load_images(images, **GREY, label=5, num_classes=3)


def test_channels_of_the_model():
    with pytest.raises(UserError, match="4 channels"):
        load_images(-torch.ones(1, 1, 4, 4), channels=4, size=4)


def test_find_dataset_prefers_the_local_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path))
    file = write_parquet(tmp_path / "cifar10_45k" / "train-00000-of-00001.parquet", [0], [3], "img")
    assert find_dataset("cifar10", "train") == [file]
    assert load_images(find_dataset("cifar10", "train"), **GREY, num_classes=10).labels.tolist() == [3]


def test_find_dataset_downloads_the_split_else(tmp_path, monkeypatch):
    def download(repository, *, repo_type, allow_patterns):
        assert (repository, repo_type, allow_patterns) == ("ylecun/mnist", "dataset", ["*test-*.parquet"])
        return str(write_parquet(tmp_path / "mnist" / "test-0.parquet", [0], [3]).parent.parent)

    monkeypatch.delenv("UNLEARN_GYM_DATA", raising=False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert find_dataset("mnist", "test") == [tmp_path / "mnist" / "test-0.parquet"]


def test_find_dataset_says_what_to_do_offline(tmp_path, monkeypatch):
    def download(*_, **__):
        raise ConnectionError

    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(UserError, match="UNLEARN_GYM_DATA/mnist nor could ylecun/mnist be downloaded"):
        find_dataset("mnist", "train")
    with pytest.raises(UserError, match="no data set 'imagenet'; choose one of cifar10"):
        find_dataset("imagenet", "train")
