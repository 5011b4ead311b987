"""Data sets that hand out their examples one by one are read as what they are."""

import numpy as np
import PIL.Image
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from tests.data.rows import ClassLabel, Image, Table
from unlearn_gym.data.request import user_request
from unlearn_gym.data.sources import load_images
from unlearn_gym.data.supervised_request import supervised_request
from unlearn_gym.errors import UserError

GREY = {"channels": 1, "size": 4}
PIXELS = np.arange(3 * 16, dtype=np.uint8).reshape(3, 4, 4)
EXPECTED = torch.from_numpy(PIXELS).unsqueeze(1).float() / 127.5 - 1
PICTURES = [PIL.Image.fromarray(pixels) for pixels in PIXELS]


class Listed(Dataset):
    """A data set of whatever it is given; ``classes`` as torchvision's have them."""

    def __init__(self, rows, classes=None):
        self.rows = rows
        if classes:
            self.classes = classes

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        if isinstance(self.rows[row], Exception):
            raise self.rows[row]
        return self.rows[row]


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(PIXELS[0], 0)])


def pairs(images, labels=(2, 0, 1)):
    return list(zip(images, labels, strict=True))


@pytest.mark.parametrize(
    "source",
    [
        Listed(pairs(PICTURES)),
        Listed(pairs(PIXELS)),
        Listed(pairs(torch.from_numpy(PIXELS).unsqueeze(1))),
        Listed(pairs(EXPECTED)),
        Listed(pairs(PIXELS[..., None])),
        Listed(pairs(PICTURES, torch.tensor([2, 0, 1]))),
        Listed([{"image": image, "label": label} for image, label in pairs(PICTURES)]),
        TensorDataset(EXPECTED, torch.tensor([2, 0, 1])),
        Subset(Listed([*pairs(PICTURES), (PICTURES[0], 7)]), [0, 1, 2]),
        ConcatDataset([Listed(pairs(PICTURES)[:1]), Listed(pairs(PICTURES)[1:])]),
        Table({"image": PICTURES, "label": [2, 0, 1]}, {"image": Image()}),
        Table({"img": PICTURES, "fine_label": [2, 0, 1]}, {"img": Image()}),
        Table({"image": PIXELS, "labels": np.array([2, 0, 1])}),
    ],
)
def test_every_kind_is_the_same_images(source):
    found = load_images(source, **GREY, num_classes=3)
    assert torch.equal(found.inputs, EXPECTED) and found.labels.tolist() == [2, 0, 1]


def test_without_labels():
    assert torch.equal(load_images(Listed(PICTURES), **GREY).inputs, EXPECTED)
    with pytest.raises(UserError, match="has no labels and the model has 3 classes"):
        load_images(Listed(PICTURES), **GREY, num_classes=3)


@pytest.mark.parametrize("kind", ["library", "torchvision", "subset", "words"])
def test_class_names_are_read(kind):
    names = ["cat", "airplane", "bird"]
    table = Table({"image": PICTURES, "label": [2, 0, 1]}, {"image": Image(), "label": ClassLabel(names)})
    retain = {
        "library": table,
        "torchvision": Listed(pairs(PICTURES), names),
        "subset": Subset(Listed(pairs(PICTURES), names), [0, 1, 2]),
        "words": Listed(pairs(PICTURES, ["bird", "cat", "airplane"])),
    }[kind]
    config = {"in_channels": 1, "sample_size": 4, "num_class_embeds": 3}
    data = user_request(config, retain, Listed([(PIL.Image.new("L", (4, 4)), "bird")]))
    bird = 1 if kind == "words" else 2
    assert data.class_names[bird] == "bird"
    assert data.retain.labels[0] == data.forget.labels[0] == bird


class Splits(dict):
    column_names = {"train": ["image"], "test": ["image"]}  # noqa: RUF012


class Streamed:
    column_names = ("image", "label")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Stream(), "stream of unknown length"),
        (Streamed(), "stream of unknown length"),
        (DataLoader(Listed(pairs(PICTURES))), "give the data set that it reads"),
        (Splits(), "has the splits train, test; give one"),
        (Listed([]), "has no example"),
        (Listed([*pairs(PICTURES), KeyError("gone")]), r"\[3\] cannot be read \(KeyError"),
        (Listed([(1, 2, 3)]), "3 parts"),
        (Listed([{"pixels": 1}]), "has the keys pixels"),
        (Listed(pairs([PIXELS[0], PIXELS[1], PIXELS[2, :2]])), "has arrays of shape"),
        (Listed(pairs(EXPECTED / 2 + 0.5)), "no value below 0"),
        (Listed(pairs(PICTURES, [0, None, 1])), "missing"),
        (Listed(["x", "y"]), "no array of numbers"),
        (Table({"text": ["a"], "label": [0]}), "has the columns text, label; it needs"),
        (Table({"image": PICTURES, "label": [0.5, 1, 2]}, {"image": Image()}), "float64 labels"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(source, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        load_images(source, **GREY, num_classes=3)
    assert "\n" not in str(raised.value)


def test_a_data_set_for_a_classifier_and_for_a_regression():
    vectors = torch.arange(6.0).view(3, 2)
    data = supervised_request(
        TensorDataset(vectors, torch.tensor([0, 1, 2])), Listed(pairs(vectors.numpy() + 9)), num_classes=3
    )
    assert torch.equal(data.retain.inputs, vectors) and data.forget.labels.tolist() == [2, 0, 1]
    targets = TensorDataset(vectors, torch.tensor([0.5, 1, 2]))
    assert supervised_request(targets, Listed(pairs(vectors + 9)), num_classes=0).retain.labels.shape == (
        3,
        1,
    )
    with pytest.raises(UserError, match="For images give image_shape="):
        supervised_request(Listed(pairs(["a", "b", "c"])), targets, num_classes=3)


@pytest.mark.parametrize("kind", [None, "numpy", "torch"])
def test_the_library_itself(kind):
    """Every format that can be set, an undecoded column, and what ``select`` and ``filter`` return."""
    datasets = pytest.importorskip("datasets", reason="the datasets library is not installed; it is optional")
    names = ["cat", "airplane", "bird"]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    whole = datasets.Dataset.from_dict(
        {"image": PICTURES, "label": [2, 0, 1]}, features=features
    ).with_format(kind)
    undecoded = whole.with_format(None).cast_column("image", datasets.Image(decode=False))
    for source in (whole, whole.select([0, 1, 2]), whole.filter(lambda _: True), undecoded):
        found = load_images(source, **GREY, num_classes=3)
        assert torch.equal(found.inputs, EXPECTED) and found.labels.tolist() == [2, 0, 1]
    plain = datasets.Dataset.from_dict(
        {"image": PIXELS.tolist(), "label": [2, 0, 1]},
        features=datasets.Features(
            {"image": datasets.Array2D((4, 4), "uint8"), "label": datasets.Value("int64")}
        ),
    ).with_format(kind)
    assert torch.equal(load_images(plain, **GREY, num_classes=3).inputs, EXPECTED)
    config = {"in_channels": 1, "sample_size": 4, "num_class_embeds": 3}
    assert user_request(config, whole, [(PIL.Image.new("L", (4, 4)), "bird")]).forget.labels.tolist() == [2]
    with pytest.raises(UserError, match="has the splits train; give one"):
        load_images(datasets.DatasetDict({"train": whole}), **GREY)
    with pytest.raises(UserError, match="stream of unknown length"):
        load_images(whole.to_iterable_dataset(), **GREY)


def test_the_librarys_parquet_files(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the datasets library is not installed; it is optional")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "airplane"])}
    )
    table = datasets.Dataset.from_dict({"image": PICTURES[:2], "label": [1, 0]}, features=features)
    table.to_parquet(tmp_path / "a.parquet")
    config = {"in_channels": 1, "sample_size": 4, "num_class_embeds": 2}
    data = user_request(config, tmp_path / "a.parquet", [(PICTURES[2], "airplane")])
    assert data.class_names == {0: "cat", 1: "airplane"} and data.forget.labels.tolist() == [1]
