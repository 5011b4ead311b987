"""U-LiRA against closed forms: what it says of two normals, and of none."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from unlearn_gym.errors import UserError
from unlearn_gym.metrics.attacks.shadows import halves, log_odds, u_lira
from unlearn_gym.metrics.privacy import mann_whitney_auc


def test_log_odds_are_those_of_the_softmax():
    logits, labels = torch.randn(20, 5, dtype=torch.float64), torch.randint(5, (20,))
    p = logits.softmax(1)[torch.arange(20), labels]
    assert log_odds(logits, labels) == pytest.approx((p / (1 - p)).log().numpy())


def test_log_odds_of_a_certain_answer_are_finite():
    assert np.isfinite(log_odds(torch.tensor([[200.0, 0.0], [0.0, 200.0]]), torch.tensor([0, 0]))).all()


@pytest.mark.parametrize("examples", [2, 7, 10])
def test_every_example_is_unlearned_by_half_of_the_shadows(examples):
    chosen = halves(examples, 3, seed=0)
    assert (chosen.sum(axis=0) == 3).all() and (chosen[0::2] != chosen[1::2]).all()
    assert set(chosen.sum(axis=1)) <= {examples // 2, examples - examples // 2}
    assert not np.array_equal(chosen[0], chosen[2]) or examples == 2


@pytest.mark.parametrize("examples, pairs", [(10, 1), (1, 4)])
def test_too_little_to_tell_from_is_refused(examples, pairs):
    with pytest.raises(UserError, match="at least 2 pairs and 2 examples"):
        halves(examples, pairs, seed=0)


def test_an_example_without_shadows_on_a_side_is_refused():
    unlearned = halves(4, 2, seed=0)
    unlearned[:, 1] = [True, True, True, False]
    with pytest.raises(UserError, match="1 shadows on the smaller side"):
        u_lira(np.zeros(unlearned.shape), unlearned)
    with pytest.raises(UserError, match=r"phi has shape \(3, 4\)"):
        u_lira(np.zeros((3, 4)), halves(4, 2, seed=0))


def test_scores_are_the_ratio_of_two_normals_without_the_attacked_shadow():
    unlearned = halves(6, 3, seed=1)
    phi = np.random.default_rng(0).normal(size=unlearned.shape)
    others = np.arange(len(phi)) != 2
    said = []
    for side in (unlearned[others], ~unlearned[others]):
        groups = [phi[others][side[:, k], k] for k in range(6)]
        squares = sum(((group - group.mean()) ** 2).sum() for group in groups)
        std = np.sqrt(squares / sum(len(group) - 1 for group in groups))
        said.append(norm.logpdf(phi[2, 4], groups[4].mean(), std))
    assert u_lira(phi, unlearned)[2, 4] == pytest.approx(said[0] - said[1])


@pytest.mark.parametrize("gap", [0.0, 1.0])
def test_two_normals_are_told_apart_as_well_as_they_can_be(gap):
    """The best test of N(μ, 1) against N(μ + gap, 1) has AUC Φ(gap/√2), however far apart the examples' own μ are."""
    unlearned = halves(200, 16, seed=2)
    generator = np.random.default_rng(3)
    phi = 5 * generator.normal(size=200) + generator.normal(size=unlearned.shape) + gap * unlearned
    scores = u_lira(phi, unlearned)
    found = mann_whitney_auc(scores[unlearned], scores[~unlearned])
    assert found == pytest.approx(norm.cdf(gap / np.sqrt(2)), abs=0.03)
    plain = mann_whitney_auc(phi[unlearned], phi[~unlearned])
    assert plain < 0.56  # lost among the examples
