"""Requests that are drawn from a seed: the same each time, in their ranges, all different."""

import numpy as np
import pytest

from unlearn_gym.data.requests.drawing import drawn
from unlearn_gym.data.requests.reading import read_requests
from unlearn_gym.errors import UserError

CONCEPTS = ["sandal", "bag", 7, "3"]
WIDE = {
    "draw": 60,
    "forget": CONCEPTS,
    "together": 2,
    "horizon": [12, 15],
    "learning_rate": [3e-4, 1.2e-3],
    "count": [30, 33],
    "batch_size": 16,
}


def test_the_same_seed_draws_the_same_requests():
    assert drawn(**WIDE) == drawn(**WIDE, seed=0)
    assert not set(drawn(**WIDE)) & set(drawn(**WIDE, seed=1))


def test_what_is_drawn_fills_its_ranges_and_stays_in_them():
    requests = drawn(**{**WIDE, "draw": 300})
    assert len({request.name for request in requests}) == 300
    assert {len(request.forget) for request in requests} == {1, 2}
    assert {concept for request in requests for concept in request.forget} == {"sandal", "bag", "7", "3"}
    assert {request.horizon for request in requests} == {12, 13, 14, 15}
    assert {request.count for request in requests} == {30, 31, 32, 33}
    rates = np.array([request.learning_rate for request in requests])
    assert 3e-4 <= rates.min() < 3.1e-4 and 1.16e-3 < rates.max() <= 1.2e-3
    assert np.median(rates) == pytest.approx(6e-4, rel=0.15)  # uniform would have 7.5e-4
    assert all(rate == float(f"{rate:.3g}") for rate in rates)


def test_a_number_is_a_range_of_one():
    requests = drawn(draw=3, forget=["7", "8", "9"], horizon=24, learning_rate=3.1415e-4)
    assert {(r.horizon, r.learning_rate, r.count, r.batch_size) for r in requests} == {
        (24, 3.1415e-4, None, 32)
    }
    assert sorted(request.forget for request in requests) == [("7",), ("8",), ("9",)]


def test_what_goes_together_has_one_order():
    requests = drawn(draw=6, forget=["b", "a", "c"], together=2, horizon=1, learning_rate=1e-3)
    assert {r.forget for r in requests} == {("b",), ("a",), ("c",), ("b", "a"), ("b", "c"), ("a", "c")}


def test_a_split_may_be_drawn_and_so_may_elements_of_a_list(tmp_path):
    path = tmp_path / "requests.yaml"
    path.write_text(
        """
family: intruders
train: {draw: 5, forget: [sandal, 7], horizon: [12, 48], learning_rate: [3e-4, 1.2e-3]}
validation:
  - {draw: 2, forget: ["1", "8"], horizon: 9, learning_rate: 5e-4, family: digits}
  - {forget: "9", horizon: 9, learning_rate: 5e-4}
""",
        encoding="utf-8",
    )
    requests = read_requests(path)
    ranges = {"horizon": [12, 48], "learning_rate": [3e-4, 1.2e-3]}
    names = [request.name for request in drawn(draw=5, forget=["sandal", "7"], **ranges)]
    assert [request.name for request in requests.split("train")] == names
    assert [request.family for request in requests.split("validation")] == ["digits", "digits", "intruders"]
    assert read_requests(requests.to_dict()) == requests


@pytest.mark.parametrize(
    "change, words",
    [
        ({"draw": 0}, "draw=0 was given; give a whole number of at least 1"),
        ({"draw": 20_000}, "from 1 to 10000"),
        ({"draw": True}, "draw=True"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"forget": []}, "names no concept"),
        ({"forget": ["7", 7]}, "one twice"),
        ({"together": 5}, "together=5 was given; give a whole number from 1 to 4"),
        ({"together": 0}, "together=0"),
        ({"horizon": [48, 12]}, r"horizon=\[48, 12\] was given; give the smaller end"),
        ({"horizon": [12, 24, 48]}, "two ends of a range"),
        ({"horizon": [1.5, 3]}, "horizon=1.5"),
        ({"horizon": [0, 3]}, "horizon=0"),
        ({"horizon": "long"}, "horizon='long'"),
        ({"learning_rate": [0, 1e-3]}, "learning_rate=0"),
        ({"learning_rate": ["slow", "fast"]}, "'slow' is no number"),
        ({"learning_rate": None}, "learning_rate=None"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"count": [0, 30]}, "count=0"),
        ({"batch_size": 5}, "even number"),
        ({"batch_size": [16, 32]}, "batch_size="),
        ({"family": 3}, "family=3"),
        ({"steps": 3}, "no keyword 'steps'"),
        (
            {"forget": "7", "together": 1, "horizon": [1, 2], "learning_rate": 1e-3, "count": None},
            "draw=60 requests were wanted, but only 2 different",
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(change, words):
    with pytest.raises(UserError, match=words):
        read_requests({"family": "intruders", "train": {**WIDE, **change}})


@pytest.mark.parametrize("missing", ["forget", "horizon", "learning_rate"])
def test_what_is_missing_is_named(missing):
    with pytest.raises(UserError, match=f"A request of train lacks '{missing}'"):
        read_requests({"family": "intruders", "train": {k: v for k, v in WIDE.items() if k != missing}})
