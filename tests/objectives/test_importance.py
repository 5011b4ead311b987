"""Importance weights against float64 closed forms, identities and finite differences."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from unlearn_gym.objectives.base import Draw, Parts
from unlearn_gym.objectives.importance import DISJOINT, importance_weights, log_ratio
from unlearn_gym.objectives.siss import SISS, exact_factors, paper_factors

LAMBDAS = (0.0, 1e-6, 0.1, 0.5, 0.9, 1 - 1e-6, 1.0)


def schedule():
    alphas = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    return np.sqrt(alphas), np.sqrt(1 - alphas)


def pairs_at_every_timestep(side, seed=0):
    """One pair of 8x8 images per timestep: float64 latents with their log-densities, and delta in float32."""
    rng = np.random.default_rng(seed)
    gamma, sigma = schedule()
    x, a, eps = (
        rng.uniform(-1, 1, (1000, 64)),
        rng.uniform(-1, 1, (1000, 64)),
        rng.standard_normal((1000, 64)),
    )
    m = gamma[:, None] * (a if side > 0 else x) + sigma[:, None] * eps
    log_x, log_a = (-((m - gamma[:, None] * y) ** 2).sum(1) / (2 * sigma**2) for y in (x, a))
    f32 = lambda v: torch.tensor(v, dtype=torch.float32)  # noqa: E731
    delta = log_ratio(side, f32((eps * (x - a)).sum(1)), f32(((x - a) ** 2).sum(1)), f32(gamma), f32(sigma))
    return log_x, log_a, delta


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("lam", [0.1, 0.5, 0.9])
def test_weights_match_float64_densities_at_every_timestep(side, lam):
    log_x, log_a, delta = pairs_at_every_timestep(side)
    mixture = logsumexp([np.log(1 - lam) + log_x, np.log(lam) + log_a], axis=0)
    w_x, w_a = importance_weights(lam, delta)
    np.testing.assert_allclose(w_x, np.exp(log_x - mixture), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(w_a, np.exp(log_a - mixture), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_weights_and_derivatives_are_finite_and_sum_to_one(lam):
    delta = torch.tensor([-DISJOINT, -1e4, -90.0, -1.0, 0.0, 1.0, 90.0, 1e4, DISJOINT])
    w_x, w_a = importance_weights(lam, delta)
    score = w_a - w_x
    for value in (w_x, w_a, w_x * score, w_a * score):
        assert torch.isfinite(value).all()
    if 0 < lam < 1:
        torch.testing.assert_close((1 - lam) * w_x + lam * w_a, torch.ones_like(delta), rtol=1e-5, atol=1e-6)
        assert (w_x <= (1 + 1e-6) / (1 - lam)).all() and (w_a <= (1 + 1e-6) / lam).all()


@pytest.mark.parametrize("lam", [0.1, 0.4, 0.8])
def test_derivatives_match_finite_differences(lam):
    delta = torch.linspace(-6, 6, 25, dtype=torch.float64)
    h = 1e-6
    for index, sign in ((0, -1.0), (1, -1.0)):
        w = importance_weights(lam, delta)
        numeric = (importance_weights(lam + h, delta)[index] - importance_weights(lam - h, delta)[index]) / (
            2 * h
        )
        torch.testing.assert_close(sign * w[index] * (w[1] - w[0]), numeric, rtol=1e-5, atol=1e-7)


def test_ends_of_the_range_have_their_closed_forms():
    delta = torch.tensor([-3.0, 0.0, 3.0])
    w_x, w_a = importance_weights(0.0, delta)
    torch.testing.assert_close(w_x, torch.ones(3))
    torch.testing.assert_close(w_a, delta.exp())
    w_x, w_a = importance_weights(1.0, delta)
    torch.testing.assert_close(w_x, (-delta).exp())
    torch.testing.assert_close(w_a, torch.ones(3))


def siss(**kwargs):
    return SISS(**{"forget_scaling": "coef", **kwargs}).with_sizes(1000, 100)


@pytest.mark.parametrize("lam", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_the_expected_loss_is_the_same_for_every_lambda(lam):
    """Summed over both sides of the mask with their probabilities, the pair's errors count C_x and C_a once."""
    rng = np.random.default_rng(1)
    eps, gap, gamma_sigma = rng.standard_normal(200_000), 1.5, 1.0
    x, a = 0.0, -gap
    objective = siss()
    expected = []
    for side, u in ((-1, 0.999999), (1, 0.0)):
        m = (a if side > 0 else x) + eps
        delta = log_ratio(
            side,
            torch.tensor(eps * (x - a)),
            torch.full((len(eps),), gap**2),
            *[torch.tensor(gamma_sigma)] * 2,
        ).double()
        uniform = torch.full((len(eps),), u, dtype=torch.float64)
        weights = objective.weights(lam, Draw(uniform, delta, delta))
        f_x, f_a = np.sin(m) + 2, np.cos(m) + 3
        row_x = weights.retain.view(2, -1).sum(0).numpy() * f_x
        row_a = weights.forget.view(2, -1).sum(0).numpy() * f_a
        expected.append((row_x.mean(), row_a.mean()))
    mean_x = (1 - lam) * expected[0][0] + lam * expected[1][0]
    mean_a = (1 - lam) * expected[0][1] + lam * expected[1][1]
    assert mean_x == pytest.approx(2 + 0.0, abs=0.02)  # E sin(eps) = 0
    assert mean_a == pytest.approx(3 + np.cos(a) * np.exp(-0.5), abs=0.02)  # E cos(a + eps)


def test_dataset_factors_make_s_zero_naive_deletion_for_both_sources():
    n, k = 1000, 100
    for x_from in ("retain", "all"):
        c_x, c_a = exact_factors(x_from, n, k, 0.0)
        share = k / n if x_from == "all" else 0.0  # E_X = (1 - k/n) E_R + k/n E_A
        assert c_x * (1 - share) == pytest.approx(1.0)
        assert c_x * share - c_a == pytest.approx(0.0)
    assert paper_factors("all", n, k, 0.5) == pytest.approx(exact_factors("all", n, k, 0.5))


def test_the_sizes_of_a_request_belong_to_a_copy():
    own = SISS(forget_scaling="coef")
    big, small = own.with_sizes(1000, 100), own.with_sizes(10, 5)
    assert (big.factors, small.factors) == ((1.0, 0.5 * 100 / 900), (1.0, 0.5)) and not hasattr(
        own, "factors"
    )


def test_lambda_derivative_of_the_loss_matches_finite_differences():
    generator = torch.Generator().manual_seed(0)
    delta = torch.randn(64, generator=generator, dtype=torch.float64) * 2
    uniform = torch.rand(64, generator=generator, dtype=torch.float64)
    l_x, l_a = (torch.rand(64, generator=generator, dtype=torch.float64) for _ in range(2))
    objective = siss(dataset_factors="none")

    def parts(lam, mask_lam=0.4):
        chosen = torch.where(uniform < mask_lam, delta + 1, delta - 1)
        w_x, w_a = importance_weights(lam, chosen)
        return Parts(
            float((w_x * l_x).mean()),
            float((w_a * l_a).mean()),
            1.0,
            1.0,
            0.0,
            w_x * l_x,
            w_a * l_a,
            w_a - w_x,
        )

    def loss(lam):
        found = objective.combine(lam, parts(lam))
        return found.retain_term + found.forget_term

    numeric = (loss(0.4 + 1e-6) - loss(0.4 - 1e-6)) / 2e-6
    assert objective.combine(0.4, parts(0.4)).dloss_dlambda == pytest.approx(numeric, rel=1e-5)


def test_forget_norm_rescales_and_survives_an_empty_side():
    objective = siss(forget_scaling="norm", forget_norm=0.1)
    rows = torch.zeros(4)
    found = objective.combine(0.5, Parts(1.0, 2.0, 3.0, 0.5, 0.0, rows, rows, rows))
    assert found.c_forget == pytest.approx(-0.1 * 3.0 / 0.5)
    for retain_norm, forget_norm in ((3.0, 0.0), (0.0, 0.5), (0.0, 0.0)):
        empty = objective.combine(0.5, Parts(1.0, 0.0, retain_norm, forget_norm, 0.0, rows, rows, rows))
        assert empty.c_forget == 0.0 and empty.c_retain == 1.0
