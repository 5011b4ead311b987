"""From records to certificates."""

import math
from dataclasses import replace

import numpy as np
import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import evaluate
from unlearn_gym.evaluation.certificates import certificates, explained
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.risk_tests import Limits, trials_needed

LIMITS = Limits({"concept_rate": 0.02, "class_accuracy": 0.9})


def record(rate, accuracy, samples=200, name="a"):
    values = {"concept_rate": rate, "class_accuracy": accuracy}
    return Record(name, 0, values, trials={"concept_rate": samples, "class_accuracy": 900})


def test_a_row_is_as_bad_as_its_worst_model():
    good, bad = record(0.0, 0.95), record(0.01, 0.95)
    both, alone = certificates({"both": [good, bad], "alone": [good]}, replace(LIMITS, bonferroni=True))
    assert alone.certified and not both.certified
    assert both.p_value > 0.05 > alone.p_value
    assert both.bounds["concept_rate"] > 0.02 > alone.bounds["concept_rate"]
    assert alone.bounds["class_accuracy"] < 0.95 and alone.samples == {
        "concept_rate": 200,
        "class_accuracy": 900,
    }


def test_below_the_table_nothing_is_certified():
    enough = trials_needed(0.02, 0.05)
    rows = {"few": [record(0.0, 1.0, enough - 1)], "enough": [record(0.0, 1.0, enough)]}
    halved = certificates(rows, replace(LIMITS, bonferroni=True, delta=0.1))  # each at 0.05
    assert [one.certified for one in halved] == [False, True]
    assert [one.certified for one in certificates({"enough": rows["enough"]}, LIMITS)] == [True]
    assert [one.certified for one in certificates(rows, LIMITS)] == [False, False]  # the first failed


def test_the_order_given_is_the_order_tested():
    good, bad = [record(0.0, 0.99)], [record(0.3, 0.99)]
    assert [one.certified for one in certificates({"good": good, "bad": bad, "later": good}, LIMITS)] == [
        True,
        False,
        False,
    ]
    together = certificates({"bad": bad, "good": good}, replace(LIMITS, bonferroni=True))
    assert [one.certified for one in together] == [False, True]


def test_what_is_not_a_number_is_a_failure():
    (one,) = certificates({"a": [record(math.nan, 0.99)]}, LIMITS)
    assert not one.certified and one.missed == 1 and one.bounds["concept_rate"] == 1.0


@pytest.mark.parametrize(("missed", "bound"), [(0, 0.451), (1, 0.657), (5, 1.0)])
def test_seeds_promise_what_the_table_says(missed, bound):
    records = [record(0.5 if k < missed else 0.0, 0.99) for k in range(5)]
    (one,) = certificates({"a": records}, LIMITS)
    assert (one.missed, one.seeds) == (missed, 5)
    assert one.seed_bound == pytest.approx(bound, abs=6e-4)
    said = " ".join(explained(LIMITS, 5))
    assert "concept_rate ≤ 0.02, class_accuracy ≥ 0.9" in said and "nothing better than 45%" in said


def test_a_mean_over_unequal_labels_is_certified_no_more_often_than_delta_allows():
    """Nine labels of accuracies from 0.5 to 1, their mean exactly at the limit."""
    rng, draws, each = np.random.default_rng(0), 2000, 50
    accuracies = np.linspace(0.5, 1.0, 9)
    limits = Limits({"class_accuracy": float(accuracies.mean())})
    right = rng.binomial(each, accuracies, (draws, 9)).sum(1) / (9 * each)
    wrong = sum(
        certificates(
            {"a": [Record("a", 0, {"class_accuracy": share}, trials={"class_accuracy": 9 * each})]}, limits
        )[0].certified
        for share in right.tolist()
    )
    assert 0 < wrong / draws <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5


@pytest.mark.parametrize(
    ("words", "delta", "sentence"),
    [
        (["concept_rate"], 0.05, "'concept_rate'; write METRIC=LIMIT"),
        (["concept_rate=low"], 0.05, "write METRIC=LIMIT"),
        (["concept_rate=0.02", "concept_rate=0.1"], 0.05, "'concept_rate' twice"),
        (["concept_rate=2"], 0.05, "concept_rate=2.0 is no limit"),
        (["concept_rate=nan"], 0.05, "is no limit"),
        (["fud=0.1"], 0.05, "no metric 'fud'"),
        (["concept_rate=0.1"], 0.5, "delta=0.5"),
    ],
)
def test_limits_are_checked(words, delta, sentence):
    with pytest.raises(UserError, match=sentence):
        Limits.read(words, delta, bonferroni=False)


def test_what_cannot_be_certified_is_refused_before_any_run(experiment, tmp_path):
    with pytest.raises(UserError, match=r"'concept_rate' cannot be certified here; choose from \(nothing\)"):
        evaluate(replace(experiment, limits=LIMITS), tmp_path, progress=False)
    assert not (tmp_path / "runs").exists()


def test_limits_change_no_run(experiment):
    assert replace(experiment, limits=LIMITS).key("noisy", 0) == experiment.key("noisy", 0)
