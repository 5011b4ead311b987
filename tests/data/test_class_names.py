"""One numbering of the classes for both sets, or a sentence that asks for it."""

import json
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.data.test_sources import encoded
from unlearn_gym.data import LabelledSet
from unlearn_gym.data.request import user_request
from unlearn_gym.errors import UserError

ANIMALS = ("airplane", "bird", "cat")


def config(classes):
    return {"in_channels": 1, "sample_size": 4, "num_class_embeds": classes}


def folders(root, *names, shade=0):
    """Write a folder of class folders with one image each; a name that ends in ``/`` stays empty."""
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        if not name.endswith("/"):
            Image.new("L", (4, 4), shade + number).save(root / name / "a.png")
    return root


def parquet(file, labels, names):
    table = pa.table(
        {"image": [encoded(Image.new("L", (4, 4), n)) for n in range(len(labels))], "label": labels}
    )
    features = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), file)
    return file


def test_the_forget_set_has_the_retain_sets_numbers(tmp_path):
    retain = folders(tmp_path / "retain", *ANIMALS)
    forget = folders(tmp_path / "forget", "cat", shade=9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = user_request(config(3), retain, forget)
    assert data.retain.labels.tolist() == [0, 1, 2] and data.forget.labels.tolist() == [2]
    assert data.class_names == dict(enumerate(ANIMALS))
    assert "1 to forget (classes 2 cat)" in repr(data) and "\n" not in repr(data)


def test_a_class_of_the_forget_set_alone_is_numbered_with_the_others_and_said(tmp_path):
    retain = folders(tmp_path / "retain", "airplane", "cat")
    forget = folders(tmp_path / "forget", "bird", shade=9)
    with pytest.warns(
        UserWarning, match=r"forget_data alone has the class 'bird'.*\(0 airplane, 1 bird, 2 cat\)"
    ):
        data = user_request(config(3), retain, forget)
    assert data.retain.labels.tolist() == [0, 2] and data.forget.labels.tolist() == [1]


def test_an_empty_class_folder_is_a_class(tmp_path):
    retain = folders(tmp_path / "retain", "airplane", "bird/", "cat")
    assert (
        user_request(config(3), retain, folders(tmp_path / "forget", "cat", shade=9)).forget.labels.item()
        == 2
    )


@pytest.mark.parametrize("form", ["list", "dict", "id2label", "file"])
def test_a_network_of_more_classes_needs_to_be_told(tmp_path, form):
    retain, forget = folders(tmp_path / "retain", "cat", "dog"), folders(tmp_path / "forget", "cat", shade=9)
    with pytest.raises(
        UserError, match=r"name 2 classes \(cat, dog\) and the model knows 10; give class_names="
    ):
        user_request(config(10), retain, forget)
    numbers = {"dog": 5, "cat": 3}
    (tmp_path / "class_to_idx.json").write_text(json.dumps(numbers))
    given = {
        "list": ["a", "b", "c", "cat", "d", "dog"],
        "dict": numbers,
        "id2label": {"3": "cat", 5: "dog"},
        "file": tmp_path / "class_to_idx.json",
    }[form]
    data = user_request(config(10), retain, forget, given)
    assert data.retain.labels.tolist() == [3, 5] and data.forget.labels.tolist() == [3]
    assert data.class_names[3] == "cat" and data.class_names[9] == "9"


def test_numbers_as_names_stay(tmp_path):
    data = user_request(
        config(11), folders(tmp_path / "retain", "03", "10"), folders(tmp_path / "forget", "7", shade=9)
    )
    assert data.retain.labels.tolist() == [3, 10] and data.forget.labels.tolist() == [7]


def test_arrays_keep_their_numbers_beside_named_folders(tmp_path):
    images = LabelledSet(torch.zeros(2, 1, 4, 4), torch.tensor([2, 0]))
    data = user_request(config(3), folders(tmp_path, *ANIMALS), images)
    assert data.forget.labels.tolist() == [2, 0]
    words = ((np.zeros((2, 1, 4, 4)) - 1), ["cat", "bird"])
    assert user_request(
        config(3), folders(tmp_path / "b", *ANIMALS, shade=5), words
    ).forget.labels.tolist() == [2, 1]


def test_the_names_of_a_data_set_say_the_numbers(tmp_path):
    order = ["cat", "airplane", "bird"]
    retain = parquet(tmp_path / "retain.parquet", [2, 1, 0], order)
    by_folder = user_request(config(3), retain, folders(tmp_path / "forget", "airplane", shade=9))
    assert by_folder.retain.labels.tolist() == [2, 1, 0] and by_folder.forget.labels.item() == 1
    alone = parquet(tmp_path / "forget.parquet", [0], ["bird"])
    with pytest.warns(UserWarning, match="1 of the 1 images of forget_data are in retain_data too"):
        data = user_request(config(3), retain, alone)
    assert data.forget.labels.item() == 2 and data.class_names == dict(enumerate(order))
    other = parquet(tmp_path / "other.parquet", [0], sorted(order))
    with pytest.raises(UserError, match="number their classes differently"):
        user_request(config(3), retain, other)
    assert user_request(config(3), retain, other, ANIMALS).retain.labels.tolist() == [1, 0, 2]


def test_labels_beyond_the_names_of_a_file(tmp_path):
    file = parquet(tmp_path / "a.parquet", [0, 3], list(ANIMALS))
    with pytest.raises(UserError, match="names 3 classes and has labels from 0 to 3"):
        user_request(config(9), file, file)


@pytest.mark.parametrize(
    ("retain", "forget", "classes", "sentence"),
    [
        (ANIMALS, ("dog",), 3, "name 4 classes .* and the model knows 3"),
        (("1", "cat"), ("cat",), 2, "named by numbers .'1'. and some by words .'cat'"),
        (("1", "2"), ("cat",), 3, "named by numbers"),
        (("1", "01"), ("1",), 2, "are the same number"),
        (("0", "12"), ("0",), 10, "labels from 0 to 12; the model knows 0 to 9"),
        (("train",), ("cat",), 10, "give class_names="),
    ],
)
def test_numbers_that_do_not_follow_are_asked_for(tmp_path, retain, forget, classes, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        user_request(
            config(classes),
            folders(tmp_path / "retain", *retain),
            folders(tmp_path / "forget", *forget, shade=9),
        )
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["airplane", "bird"], "Class 'cat' has no number among 0 airplane, 1 bird"),
        ([*ANIMALS, "dog"], "class number 3; the model knows 0 to 2"),
        ({"cat": -1, "bird": 0, "airplane": 1}, "class number -1"),
        ({"cat": 1, "bird": 1, "airplane": 0}, "has 1 twice"),
        (["cat", "cat", "bird"], "has 'cat' twice"),
        ({"cat": 1.5}, "no list of names or dict"),
        ([1, 2, 3], "no list of names or dict"),
        (7, "no list of names or dict"),
        ([], "no list of names or dict"),
        ("nowhere.json", "no readable JSON file"),
    ],
)
def test_bad_class_names(tmp_path, names, sentence):
    retain, forget = folders(tmp_path / "retain", *ANIMALS), folders(tmp_path / "forget", "cat", shade=9)
    with pytest.raises(UserError, match=sentence) as raised:
        user_request(config(3), retain, forget, names)
    assert "\n" not in str(raised.value)


def test_names_do_not_matter_to_an_unconditional_network(tmp_path):
    data = user_request(
        config(None), folders(tmp_path / "a", "1", "cat"), folders(tmp_path / "b", "x", shade=9)
    )
    assert len(data.retain) == 2 and data.class_names == {}


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([-1, 0], "labels from -1 to 0"),
        ([0.0, 1.0], "float64 labels"),
        ([float("nan"), 0], "float64 labels"),
        ([True, False], "bool labels"),
        (np.array([2**63, 0], np.uint64), "beyond int64"),
        ([2**70, 0], "64 bits"),
        ([None, 0], "missing"),
        (np.eye(2, dtype=int), "one-hot"),
        ([0], "one label per input"),
        ([[0], [0, 1]], "labels that are no array"),
        (torch.tensor([0.5, 1], dtype=torch.bfloat16), "float32 labels"),
    ],
)
def test_labels_that_are_none_are_one_sentence(labels, sentence):
    images = np.zeros((2, 1, 4, 4), np.uint8)
    with pytest.raises(UserError, match=sentence) as raised:
        user_request(config(3), LabelledSet(torch.from_numpy(images), labels) if len(labels) == 2 else (images, labels),
                     (images, [0, 1]))  # fmt: skip
    assert "\n" not in str(raised.value)


def test_a_column_of_labels_is_labels():
    images = np.zeros((2, 1, 4, 4), np.uint8)
    assert user_request(
        config(3), (images + 9, np.array([[1], [2]])), (images, [0, 1])
    ).retain.labels.tolist() == [1, 2]


def test_images_in_both_sets_are_counted():
    images = np.arange(5 * 16, dtype=np.uint8).reshape(5, 1, 4, 4)
    with pytest.warns(UserWarning, match="2 of the 3 images of forget_data are in retain_data too"):
        user_request(config(None), images[:4], images[2:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        user_request(config(None), images[:2], images[2:])
