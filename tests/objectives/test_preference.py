"""NPO and SimNPO on latents, DPO on pairs: closed forms, and DPO's gradient against finite differences."""

import math

import numpy as np
import pytest
import torch

from tests.processes.small import small_process
from unlearn_gym.objectives.preference import DPO, NPO, SimNPO
from unlearn_gym.processes.gradients.passes import PassedGradients

PIXELS = 64


def numbers(reference, beta):
    return torch.tensor([[reference, beta]] * 3, dtype=torch.float64)


def errors(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def slopes(kept, forgotten, reference, beta):
    psi = DPO().pair_error(kept, forgotten, numbers(reference, beta))
    return psi.detach(), *torch.autograd.grad(psi.sum(), [kept, forgotten])


@pytest.mark.parametrize("labels", ["none", "mixed"])
def test_npo_starts_as_ascent_with_the_default_beta(labels):
    process = small_process(objective="npo", labels=labels)
    signals = process.reset(np.random.default_rng(0))
    assert signals.forget_loss == pytest.approx(2 / (0.305 * PIXELS) * math.log(2))
    plain = process.errors_of(process._latents, torch.arange(5, 10))[1].mean()
    ascent = torch.cat([g.flatten() for g in torch.autograd.grad(-plain, process.parameters)])
    sides = process._open_gradients().weigh(process.objective.weights(0.5, process.draw))
    torch.testing.assert_close(sides.forget / 5, ascent)


def test_each_latent_fades_by_its_own_error():
    """Not the batch's: the sigmoid of a mean would weigh all rows alike."""
    error = errors(0.2, 0.3, 5.0)
    psi = NPO().forget_error(error, numbers(0.2, 20.0))
    slope = torch.autograd.grad(psi.sum(), error)[0]
    wanted = -2 * torch.sigmoid(20 * torch.tensor([0.0, -0.1, -4.8], dtype=torch.float64))
    torch.testing.assert_close(slope, wanted)
    assert slope[0] == -1 and abs(slope[2]) < 1e-30


def test_simnpo_is_npo_with_one_reference_for_all_and_asks_no_original_network():
    process = small_process(objective=SimNPO(beta=3.0, delta=0.4))
    signals = process.reset(np.random.default_rng(0))
    error = process.errors_of(process._latents, torch.arange(5, 10))[1].detach()
    wanted = NPO().forget_error(error, torch.tensor([[0.4, 3.0]] * 5, dtype=torch.float64))
    assert signals.forget_loss == pytest.approx(float(wanted.mean()))
    assert "_original_model" not in vars(process)


def test_both_rows_weigh_half_at_the_original_weights():
    psi, of_kept, of_forgotten = slopes(errors(0.1, 0.4, 2.0), errors(0.3, 0.6, 2.2), 0.2, 20.0)
    torch.testing.assert_close(psi, torch.full((3,), math.log(2) / 10, dtype=torch.float64))
    torch.testing.assert_close(of_kept, torch.full_like(of_kept, 0.5))
    torch.testing.assert_close(of_forgotten, -of_kept)


def test_it_fades_where_the_forget_error_rose_more_than_the_retain_error():
    psi, of_kept, of_forgotten = slopes(errors(0.1, 5.1, 9.1), errors(9.0, 9.0, 9.0), 0.0, 20.0)
    wanted = 0.1 * torch.log1p(torch.exp(10 * torch.tensor([-8.9, -3.9, 0.1], dtype=torch.float64)))
    torch.testing.assert_close(psi, wanted)
    assert of_kept[0] < 1e-30 and of_kept[2] > 0.5 and torch.equal(of_kept, -of_forgotten)


def test_a_small_beta_is_the_plain_difference():
    kept, forgotten, beta = errors(0.1, 0.4, 2.0), errors(0.5, 0.2, 1.0), 1e-6
    psi, *_ = slopes(kept, forgotten, 0.2, beta)
    wanted = ((kept - forgotten + 0.2) / 2).detach()
    torch.testing.assert_close(psi - 2 / beta * math.log(2), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("labels", ["none", "mixed"])
def test_the_step_starts_from_equal_weights_with_the_default_beta(labels):
    process = small_process(objective="dpo", labels=labels)
    signals = process.reset(np.random.default_rng(0))
    assert signals.forget_loss == pytest.approx(2 / (0.305 * PIXELS) * math.log(2))
    retain, forget = (
        torch.cat([g.flatten() for g in torch.autograd.grad(error, process.parameters)])
        for error in (
            process.errors(torch.arange(5))[0].mean(),
            process.errors_of(process._latents, torch.arange(5, 10))[1].mean(),
        )
    )
    sides = process._open_gradients().weigh(process.objective.weights(0.5, process.draw))
    torch.testing.assert_close(sides.forget / 5, (retain - forget) / 2)


def loss(process, weights, lam):
    with torch.no_grad():
        process._weights.copy_(weights)
        retain, forget = process.errors(torch.arange(10))
    return float((1 - lam) * retain[:5].mean() + lam * forget[5:].mean())


@pytest.mark.parametrize("grad_norms", [True, False])
def test_the_update_descends_the_loss_it_tells(grad_norms):
    lam, process = 0.3, small_process(objective="dpo", grad_norms=grad_norms, max_grad_norm=math.inf)
    process.reset(np.random.default_rng(0))
    process.update(0.9)  # away from the original weights
    before, latents = process._weights.detach().clone(), process._latents
    update = process.update(lam)
    step = process._weights.detach() - before  # SGD: −0.1 times the gradient
    process._latents = latents
    assert update.loss == pytest.approx(loss(process, before, lam))
    eps = 1e-5
    slope = (loss(process, before + eps * step, lam) - loss(process, before - eps * step, lam)) / (2 * eps)
    assert slope == pytest.approx(-float(step.square().sum()) / 0.1, rel=1e-6)
    assert update.dloss_dlambda == pytest.approx(update.forget_term / lam - update.retain_term / (1 - lam))


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_coupled_rows_get_no_record(pairs):
    process = small_process(objective="dpo", batch_size=2 * pairs)
    process.reset(np.random.default_rng(0))
    assert type(process._open_gradients()) is PassedGradients
