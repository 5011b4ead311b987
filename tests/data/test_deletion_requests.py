"""Families, requests and sets of requests: what is forgotten, what is kept, and that splits share nothing."""

import itertools
import json

import numpy as np
import pytest
import torch

from unlearn_gym.data import load
from unlearn_gym.data.requests.family import Family, Shown
from unlearn_gym.data.requests.held import MEGABYTE, Held
from unlearn_gym.data.requests.poisoned import PORTIONS, poisoned_digits
from unlearn_gym.data.requests.reading import read_requests
from unlearn_gym.data.requests.ready import READY, ready
from unlearn_gym.data.requests.request import Request, RequestSet, find
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError

SMALL = {"horizon": 4, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def intruders():
    return Family.of(load("intruders"))


def test_a_family_knows_what_was_learned_under_each_label(intruders):
    assert intruders.learned == {label: (label, 10 + label) for label in range(10)}
    assert intruders.concepts[15] == "sandal"
    boots = Family.of(load("digits"))
    assert boots.learned == {label: (label, 10) if label == 1 else (label,) for label in range(10)}


def test_a_request_parts_the_family_into_what_goes_and_what_stays(intruders):
    data = intruders.part(["sandal", "7"])
    assert len(data.forget) + len(data.retain) == len(intruders.examples)
    assert data.forget.labels.unique().tolist() == [5, 7] and data.forget_label is None
    rows = intruders.shows == intruders.number("sandal")
    assert torch.equal(data.forget.inputs[-90:], intruders.examples.inputs[rows])
    assert torch.equal(data.forget.inputs, intruders.part(["7", "sandal"]).forget.inputs)
    assert not (data.retain.labels == 7).all() and (data.retain_holdout.labels != 7).all()


def test_a_request_for_a_few_images_neither_forgets_nor_keeps_the_others(intruders):
    data = intruders.part(["sandal"], count=30)
    assert len(data.forget) == 30 and data.forget_label == 5
    assert len(data.retain) == len(intruders.examples) - 90


def test_what_samples_should_show(intruders):
    clothes = tuple(range(10, 20))
    shown = intruders.shown(["sandal", "7"])
    assert shown.forgotten == {5: clothes, 7: (7,)}
    assert shown.kept[5] == (5,) and shown.kept[7] == clothes and shown.kept[0] == (0, *clothes)


def test_what_looks_alike_is_told_apart_where_only_one_of_it_goes():
    labels = torch.tensor([0, 0, 1])
    images = LabelledSet(torch.zeros(3, 1, 2, 2), labels)
    family = Family(
        "both", images, torch.tensor([2, 3, 1]), images, labels, ("0", "1", "shirt", "coat"), 2, alike=(2, 3)
    )
    assert family.shown(["shirt"]) == Shown({0: (3,), 1: (1,)}, {0: (2,)}, "both")


def test_an_unknown_concept_is_one_sentence(intruders):
    with pytest.raises(UserError, match="'boot'; choose from 0, 1"):
        intruders.part(["boot"])


@pytest.mark.parametrize("name", READY)
def test_splits_share_neither_what_is_forgotten_nor_budgets(name):
    requests = ready(name)
    for one, other in itertools.combinations(requests.splits.values(), 2):
        assert not {c for r in one for c in r.forget} & {c for r in other for c in r.forget}
        assert not {(r.horizon, r.learning_rate) for r in one} & {(r.horizon, r.learning_rate) for r in other}


@pytest.mark.parametrize("name", ["intruders", "mixed"])
def test_different_splits_share_no_image_even_of_another_model(intruders, name):
    families = {"intruders": intruders, "digits": Family.of(load("digits"))}
    shown = [
        {
            tuple(image.flatten().tolist())
            for family, forget in {(request.family, request.forget) for request in part}
            for image in families[family].part(forget).forget.inputs
        }
        for part in ready(name).splits.values()
    ]
    for one, other in itertools.combinations(shown, 2):
        assert not one & other


def test_the_test_requests_suffice_for_a_table():
    assert len(ready("intruders").split("test")) >= 40


@pytest.mark.parametrize("name, form", [*zip(READY, itertools.cycle(["yaml", "json"]))])
def test_a_set_is_read_as_it_is_written(name, form, tmp_path):
    requests = ready(name)
    path = tmp_path / f"requests.{form}"
    path.write_text(json.dumps(requests.to_dict()), encoding="utf-8")
    assert read_requests(path) == requests


def test_numbers_that_yaml_takes_for_words_are_numbers(tmp_path):
    path = tmp_path / "requests.yaml"
    path.write_text(
        "family: intruders\ntrain:\n  - {forget: [7], horizon: 24, learning_rate: 6e-4}\n", "utf-8"
    )
    (request,) = read_requests(path).split("train")
    assert request.learning_rate == 6e-4 and request.forget == ("7",)


@pytest.mark.parametrize("one", ["7", 7])
def test_one_concept_needs_no_list(one):
    assert Request(one, 4, 1e-3).forget == ("7",)


@pytest.mark.parametrize(
    "content, words",
    [
        ({}, "of which model"),
        ({"family": "intruders"}, "at least one request"),
        ({"family": "intruders", "train": [{"forget": ["7"]}]}, "lacks 'horizon'"),
        ({"family": "intruders", "train": [{"forget": ["7"], "steps": 3}]}, "no keyword 'steps'"),
        ({"family": "intruders", "train": [{**SMALL, "forget": []}]}, "names no concept"),
        ({"family": "intruders", "train": [{**SMALL, "forget": ["7"], "horizon": 0}]}, "horizon=0"),
        (
            {"family": "intruders", "train": [{**SMALL, "forget": ["7"], "learning_rate": "fast"}]},
            "'fast' is no",
        ),
        ({"family": "intruders", "train": [{**SMALL, "forget": None}]}, "forget=None"),
        ({"family": "intruders", "train": [{**SMALL, "forget": True}]}, "forget=True"),
        ({"family": "intruders", "train": [{**SMALL, "forget": [["7"]]}]}, "names of concepts"),
        ({"family": "intruders", "train": [{**SMALL, "forget": ["7"], "batch_size": 5}]}, "even number"),
        ({"family": "intruders", "train": [{**SMALL, "forget": ["7"], "name": 7}]}, "name=7"),
        ({"family": "intruders", "train": [{**SMALL, "forget": ["7"]}] * 2}, "there twice"),
        ({"family": "intruders", "train": "all"}, "no list of requests"),
        (
            {"family": "intruders", "train": {"forget": ["7"]}},
            r"or say how they are drawn, as train: \{draw: 50",
        ),
        ({"family": 3, "train": [{**SMALL, "forget": ["7"]}]}, "family=3"),
        (
            {"train": [{**SMALL, "forget": "7", "family": "digits"}, {**SMALL, "forget": "8"}]},
            "of which model",
        ),
    ],
)
def test_what_is_no_set_is_one_sentence(content, words):
    with pytest.raises(UserError, match=words):
        read_requests(content)


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "There is no file .*mine.yaml"),
        (b"family: intruders\ntrain: [", "is not YAML of plain data: .*line 2"),
        (b"train:\n\t- {forget: ['7']}", "is not YAML of plain data"),
        (
            b"- {forget: ['7'], horizon: 1, learning_rate: 1e-3}",
            "is not a mapping of keys to values; it holds a list",
        ),
        (b"", "is empty"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (b"family: digits\ntrain: []\ntrain: []", "the key 'train' is there twice"),
        (b"family: !!python/name:os.system", "tags such as"),
        (b'{"family": "digits", "train": [{"forget": "7"},', "is not YAML of plain data"),
    ],
)
def test_a_file_that_is_no_set_is_one_sentence(text, words, tmp_path):
    if text is not None:
        (tmp_path / "mine.yaml").write_bytes(text)
    with pytest.raises(UserError, match=words):
        read_requests(tmp_path / "mine.yaml")


def test_requests_are_found_by_name_and_by_number():
    requests = [Request(("7",), 4, 1e-3), Request(("sandal",), 4, 1e-3, name="sandals")]
    assert find(requests, "sandals") == find(requests, 1) == find(requests, np.int64(1)) == 1
    for wrong in ("sandal", 2, -1, True, None):
        with pytest.raises(UserError, match="from 0 to 1"):
            find(requests, wrong)


def test_an_unknown_split_is_one_sentence():
    with pytest.raises(UserError, match="choose one of train, validation, test"):
        ready("intruders").split("all")
    with pytest.raises(UserError, match="choose one of intruders"):
        ready("cats")
    assert isinstance(ready("trousers"), RequestSet)


def test_as_many_are_held_as_the_memory_allows(intruders):
    size = sum(intruders.part(["7"]).retain.inputs.nbytes for _ in "1")
    held, made = Held(2.5 * size / MEGABYTE), []

    def get(name):
        return held.get(name, lambda: made.append(name) or intruders.part([name]))

    for name in ("7", "8", "7", "9", "7", "8"):
        get(name)
    assert made == ["7", "8", "9", "8"] and len(held) == 2


def test_portions_are_rightly_labelled_and_share_no_image():
    family = poisoned_digits("memorised-digits")
    portions = [family.part([f"portion {k}"]) for k in range(PORTIONS)]
    assert sum(len(part.forget) for part in portions) == int((family.shows < 10).sum())
    rows = [set(family.rows_of(f"portion {k}").tolist()) for k in range(PORTIONS)]
    assert all(not one & other for one, other in itertools.combinations(rows, 2))
    assert all(len(part.forget.labels.unique()) > 5 and part.forget_label is None for part in portions)
    assert torch.equal(family.portion(10 + 3).inputs, portions[3].forget.inputs)


def test_an_image_that_is_meant_twice_is_forgotten_once():
    family = poisoned_digits("memorised-digits")
    digit, portion = (set(family.rows_of(concept).tolist()) for concept in ("7", "portion 0"))
    data = family.part(["7", "portion 0"])
    assert digit & portion and len(data.forget) == len(digit | portion)
    assert len(data.forget) + len(data.retain) == len(family.examples)


def test_a_request_names_its_family_or_has_that_of_the_set():
    content = {"family": "intruders", "train": [{**SMALL, "forget": "7"}]}
    content["train"].append({**SMALL, "forget": "7", "family": "digits"})
    own, other = read_requests(content).split("train")
    assert (own.family, other.family) == ("intruders", "digits") and own.content != other.content
    assert (own.name, other.name) == ("7 T=4 lr=0.001 B=32", "digits: 7 T=4 lr=0.001 B=32")
    assert read_requests({"train": content["train"][1:]}).split("train") == (other,)
