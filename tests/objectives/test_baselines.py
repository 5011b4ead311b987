"""The baselines without λ: closed forms, what they pass through the network, and that λ plays no part."""

import math

import numpy as np
import pytest
import torch

from tests.processes.small import small_process
from unlearn_gym.errors import UserError
from unlearn_gym.objectives import DIFFUSION_OBJECTIVES
from unlearn_gym.objectives.base import Draw, Parts
from unlearn_gym.objectives.erasediff import EraseDiff
from unlearn_gym.objectives.naive import NaiveDeletion
from unlearn_gym.objectives.neggrad import NegGrad

WITHOUT_LAMBDA = ("naive", "neggrad", "erasediff")
G_X, G_A = np.array([3.0, -1.0, 0.5]), np.array([-2.0, 1.0, 4.0])


def parts(g_x=G_X, g_a=G_A, scale=1.0):
    """What a process would hand over for two gradients and losses of 0.25 and 1.5, all times ``scale``."""
    g_x, g_a = scale * g_x, scale * g_a
    rows = torch.zeros(2)
    norms = float(np.linalg.norm(g_x)), float(np.linalg.norm(g_a))
    return Parts(0.25 * scale, 1.5 * scale, *norms, float(g_x @ g_a), rows, rows, rows)


def test_naive_deletion_descends_the_retain_loss():
    found = NaiveDeletion().combine(0.3, parts())
    assert (found.c_retain, found.c_forget, found.retain_term, found.forget_term) == (1.0, 0.0, 0.25, 0.0)


def test_neggrad_ascends_the_forget_loss():
    found = NegGrad().combine(0.3, parts())
    assert (found.c_retain, found.c_forget, found.retain_term, found.forget_term) == (0.0, -1.0, 0.0, -1.5)


def test_erasediff_raises_the_forget_part_just_as_far_as_needed():
    found = EraseDiff(eta=0.5).combine(0.3, parts())
    c = 0.5 - (G_X @ G_A) / (G_A @ G_A)  # ⟨g_x, g_a⟩ = −5, ‖g_a‖² = 21
    assert found.c_forget == pytest.approx(c) == pytest.approx(0.5 + 5 / 21)
    assert (G_X + found.c_forget * G_A) @ G_A == pytest.approx(0.5 * G_A @ G_A)
    assert (found.c_retain, found.retain_term, found.forget_term) == (1.0, 0.25, pytest.approx(1.5 * c))


def test_erasediff_leaves_the_retain_gradient_where_it_forgets_already():
    found = EraseDiff(eta=0.1).combine(0.3, parts(g_x=-G_X))  # ⟨g_x, g_a⟩/‖g_a‖² = 5/21 > 0.1
    assert found.c_forget == 0.0 and found.forget_term == 0.0
    assert EraseDiff(eta=0.1).combine(0.3, parts(g_a=0 * G_A)).c_forget == 0.1  # no forget gradient: finite


def test_erasediffs_rate_means_the_same_for_sums_over_pixels():
    means, sums = (EraseDiff(eta=1e-3).combine(0.5, parts(scale=d)) for d in (1.0, 784.0))
    assert sums.c_forget == pytest.approx(means.c_forget)


@pytest.mark.parametrize("eta", [-1e-3, math.inf, math.nan])
def test_a_rate_that_is_none(eta):
    with pytest.raises(UserError, match="eta="):
        EraseDiff(eta=eta)


@pytest.mark.parametrize("name", WITHOUT_LAMBDA)
def test_lambda_plays_no_part(name):
    runs = []
    for lam in (0.0, 0.3, 1.0):
        process = small_process(objective=name)
        process.reset(np.random.default_rng(0))
        updates = [process.update(lam) for _ in range(3)]
        assert all(u.dloss_dlambda == u.dvariance_dlambda == 0 for u in updates)
        runs.append(torch.cat([p.detach().flatten() for p in process.model.parameters()]))
    assert torch.equal(runs[0], runs[1]) and torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("grad_norms", [True, False])
@pytest.mark.parametrize(("name", "rows"), [("naive", range(5)), ("neggrad", range(5, 10))])
def test_a_lagged_update_passes_one_side_only(name, rows, grad_norms):
    process = small_process(objective=name, state="lagged", grad_norms=grad_norms)
    process.reset(np.random.default_rng(0))
    process.update(0.5)  # the rule of choice tries two rows out
    seen, errors = [], process.errors
    gradients = process._open_gradients()
    gradients._errors = lambda chosen: (seen.extend(chosen.tolist()), errors(chosen))[1]
    process._open_gradients = lambda: gradients
    process.update(0.5)
    assert set(seen) >= set(rows)
    assert len(seen) == (8 if grad_norms else 5)  # a record takes a multiple of four rows


@pytest.mark.parametrize("name", WITHOUT_LAMBDA)
def test_the_fresh_state_shows_all_four_numbers(name):
    process = small_process(objective=name)
    process.reset(np.random.default_rng(0))
    process.update(0.5)
    assert min(vars(process.observe()).values()) > 0


def test_row_weights_of_one_side():
    draw = Draw(*torch.zeros(3, 2))
    for objective, kept in ((NaiveDeletion(), [1, 1, 0, 0]), (NegGrad(), [0, 0, 1, 1])):
        weights = objective.weights(0.9, draw)
        assert (weights.retain + weights.forget).tolist() == kept


def test_the_probe_keeps_the_true_noise_under_every_objective():
    qualities = {name: vars(small_process(objective=name).quality()) for name in DIFFUSION_OBJECTIVES}
    assert all(quality == qualities["siss"] for quality in qualities.values())


def test_erasediffs_forget_loss_is_the_error_towards_uniform_numbers():
    process = small_process(objective="erasediff")
    signals = process.reset(np.random.default_rng(0))
    latents = process._latents
    target = process._raw.target.double()
    assert target.min() >= 0 and target.max() < 1
    with torch.no_grad():
        predicted = process.model(
            latents.noisy[5:], latents.timesteps[5:], class_labels=latents.labels[5:]
        ).sample
    assert signals.forget_loss == pytest.approx(float((predicted - target).square().mean()))


def test_the_released_erasediff_is_bounded_and_relabels():
    process = small_process(objective=EraseDiff(eta=0.5, form="cosine", target="relabel"))
    process.reset(np.random.default_rng(0))
    latents = process._latents
    wanted = process.predict_originally(latents.noisy[5:], latents.timesteps[5:], latents.labels[5:])
    assert not torch.allclose(latents.forget_target[5:], wanted)  # the label is another one
    others = [
        process.predict_originally(latents.noisy[5:], latents.timesteps[5:], torch.full((5,), label))
        for label in (1, 2)
    ]
    for row, target in enumerate(latents.forget_target[5:]):
        assert any(torch.allclose(target, other[row]) for other in others)
    none = torch.zeros(0)
    for dot in (-1.0, 0.3, 1.0):  # of gradients of length 1 and of length 100
        found = [
            process.objective.combine(
                0.5, Parts(1.0, 1.0, size, size, dot * size**2, none, none, none)
            ).c_forget
            for size in (1.0, 100.0)
        ]
        assert found == pytest.approx([max(0.5 - dot, 0.0)] * 2) and 0 <= found[0] <= 1.5


@pytest.mark.parametrize(("labels", "match"), [("none", "class-conditional"), ("equal", "another label")])
def test_relabelling_needs_other_labels(labels, match):
    process = small_process(objective=EraseDiff(target="relabel"), labels=labels)
    with pytest.raises(UserError, match=match):
        process.reset(np.random.default_rng(0))
