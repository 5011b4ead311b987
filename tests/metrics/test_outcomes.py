"""The outcome of a request against hand-made shares, and the meter on samples whose content is known."""

import pytest
import torch

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.outcomes.outcome import Outcome, SampleSizes, outcome

SHOWN = Shown(kept={0: (0,), 1: (1, 3), 2: (2,)}, forgotten={0: (4,)})
"""Three labels; under the first a concept 4 is to be forgotten, under the second two concepts stay."""


def shares(**rows):
    """Return label → shares; a row names the shares of concepts 0 to 5, the last being neither."""
    return {int(name[1:]): torch.tensor(row, dtype=torch.double) for name, row in rows.items()}


BEFORE = shares(l0=[0.5, 0, 0, 0, 0.4, 0.1], l1=[0, 0.5, 0, 0.4, 0, 0.1], l2=[0, 0, 0.7, 0.3, 0, 0])


def test_the_original_has_forgotten_nothing():
    found = outcome(BEFORE, BEFORE, SHOWN)
    assert vars(found) == pytest.approx({"forgotten": 0.0, "label_kept": 0.5, "others_kept": 1.0})
    assert found.score == 0.0


def test_each_share_is_what_it_says():
    after = shares(l0=[0.8, 0, 0, 0, 0.1, 0.1], l1=[0.2, 0.3, 0, 0.3, 0, 0.2], l2=[0, 0, 0.4, 0.6, 0, 0])
    found = outcome(BEFORE, after, SHOWN)
    assert found.forgotten == pytest.approx(1 - 0.1 / 0.4)
    assert found.label_kept == pytest.approx(0.8)
    assert found.others_kept == pytest.approx((0.6 + 0.4) / (0.9 + 0.7))
    assert found.score == pytest.approx((0.75 * 0.8 * 0.625) ** (1 / 3))


def test_better_than_before_counts_as_kept_and_more_than_before_as_not_forgotten():
    after = shares(l0=[0, 0, 0, 0, 0.9, 0.1], l1=[0, 1, 0, 0, 0, 0], l2=[0, 0, 1, 0, 0, 0])
    found = outcome(BEFORE, after, SHOWN)
    assert (found.forgotten, found.label_kept, found.others_kept) == (0.0, 0.0, 1.0)


def test_a_concept_that_was_hardly_seen_counts_as_seen_in_two_of_a_hundred():
    before = BEFORE | shares(l0=[1, 0, 0, 0, 0, 0])
    after = BEFORE | shares(l0=[0.99, 0, 0, 0, 0.01, 0])
    assert outcome(before, after, SHOWN).forgotten == pytest.approx(0.5)


def test_where_nothing_should_stay_under_the_label_nothing_is_lost():
    alone = Shown(kept={0: (), 1: (1, 3), 2: (2,)}, forgotten={0: (0, 4)})
    wrecked = BEFORE | shares(l0=[0, 0, 0, 0, 0, 1])
    assert vars(outcome(BEFORE, wrecked, alone)) == pytest.approx(
        {"forgotten": 1.0, "label_kept": 1.0, "others_kept": 1.0}
    )


def test_the_score_is_the_geometric_mean():
    assert Outcome(0.5, 0.25, 1.0).score == pytest.approx(0.5)
    assert Outcome(1.0, 0.0, 1.0).score == 0.0


@pytest.mark.parametrize("name", ["samples", "class_samples", "sampling_steps"])
def test_sizes_are_whole_numbers(name):
    with pytest.raises(UserError, match=f"{name}=0"):
        SampleSizes(**{name: 0})
