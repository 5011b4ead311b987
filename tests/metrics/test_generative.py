import pytest
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.metrics.generative import fid, inception_score, kid, precision_recall


def normal(n, d, seed, mean=0.0, std=1.0):
    return mean + std * torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_identical_sets_have_no_distance():
    features = normal(300, 8, 0)
    assert fid(features, features.clone()) == pytest.approx(0.0, abs=1e-6)
    assert abs(kid(features, features.clone(), subset_size=300)) < 0.1


def test_disjoint_sets_are_far_apart():
    near, far = normal(300, 8, 0), normal(300, 8, 1, mean=5.0)
    assert fid(near, far) > 100 * fid(near, normal(300, 8, 2))
    assert kid(near, far) > 100 * abs(kid(near, normal(300, 8, 2)))


def test_fid_of_gaussians_in_closed_form():
    # ‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)² for diagonal covariances.
    a, b = normal(20000, 4, 0), normal(20000, 4, 1, mean=1.0, std=3.0)
    assert fid(a, b) == pytest.approx(4 * (1.0 + 4.0), rel=0.03)


def test_kid_of_one_dimensional_points_in_closed_form():
    # k(x, y) = (xy + 1)³: all zeros against all ones give 1 + 8 − 2.
    zeros, ones = torch.zeros(50, 1), torch.ones(50, 1)
    assert kid(zeros, ones) == pytest.approx(7.0)


def test_kid_is_unbiased():
    values = [
        kid(normal(60, 4, 2 * k), normal(60, 4, 2 * k + 1), subsets=1, subset_size=60) for k in range(60)
    ]
    mean = torch.tensor(values)
    assert abs(mean.mean()) < 3 * mean.std() / 60**0.5


def test_inception_score_at_its_ends():
    certain = 100.0 * torch.eye(5).repeat(20, 1)
    assert inception_score(certain) == pytest.approx(5.0, rel=1e-3)
    assert inception_score(torch.zeros(50, 5)) == pytest.approx(1.0)
    assert inception_score(certain, splits=2) == pytest.approx(5.0, rel=0.1)


def test_global_rng_is_left_alone():
    before = torch.get_rng_state()
    kid(normal(20, 2, 0), normal(20, 2, 1))
    inception_score(torch.zeros(10, 3), splits=2)
    assert torch.equal(before, torch.get_rng_state())


def test_single_examples_are_refused():
    with pytest.raises(UserError, match="at least 2"):
        fid(normal(1, 3, 0), normal(5, 3, 1))


def test_precision_and_recall_of_points_on_a_line():
    # Third-nearest neighbours: balls of radius 3 at the ends of 0, 1, 2, 3, 4, and of radius 2 in the middle.
    real = torch.arange(5.0).unsqueeze(1)
    assert precision_recall(real, real.clone()) == (1.0, 1.0)
    near = torch.tensor([[0.0], [0.1], [0.2], [0.3], [50.0]])  # 50 is far from all; its own ball reaches all
    assert precision_recall(real, near[:4]) == (1.0, 0.2)
    assert precision_recall(real, near) == (0.8, 1.0)


def test_precision_falls_with_noise_and_recall_with_a_lost_mode():
    two_modes = torch.cat([normal(100, 3, 0), normal(100, 3, 1, mean=20.0)])
    one_mode, noise = normal(200, 3, 2), 40 * normal(200, 3, 3)
    assert precision_recall(two_modes, one_mode) == pytest.approx((1.0, 0.5), abs=0.06)
    assert precision_recall(two_modes, noise)[0] < 0.1
    with pytest.raises(UserError, match="more than 3"):
        precision_recall(two_modes, noise[:3])
