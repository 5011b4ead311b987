"""The bounded forget losses against their closed forms."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from unlearn_gym.errors import UserError
from unlearn_gym.methods import make_method
from unlearn_gym.objectives.penalties import (
    demoted,
    f_divergence,
    pair_penalty,
    preference_penalty,
    preferred,
)

LOSSES = torch.linspace(0.1, 3.0, 7, dtype=torch.float64)


def slope(function, at):
    at = at.clone().requires_grad_()
    return torch.autograd.grad(function(at).sum(), at)[0]


def test_npo_starts_as_ascent_and_ends_at_zero():
    for beta in (0.1, 0.5, 4.0):
        assert preference_penalty(LOSSES, LOSSES, beta) == pytest.approx(2 / beta * math.log(2))
        assert slope(lambda x, b=beta: preference_penalty(x, LOSSES, b), LOSSES) == pytest.approx(-1.0)
        far = LOSSES + 1e3
        assert preference_penalty(far, LOSSES, beta) == pytest.approx(0.0, abs=1e-12)
        chances = (LOSSES - far / 500).exp()  # e^{ℓ⁰ − ℓ} = π/π⁰
        own = preference_penalty(far / 500, LOSSES, beta)
        assert own == pytest.approx((2 / beta * (1 + chances**beta).log()).numpy())


def test_npo_with_a_small_beta_is_ascent():
    moved, beta = LOSSES + 0.3, 1e-5
    assert preference_penalty(moved, LOSSES, beta) - 2 / beta * math.log(2) == pytest.approx(-0.3, abs=1e-5)


def test_gce_lies_between_ascent_and_one_minus_p():
    logits = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 0])
    true = logits.softmax(1).gather(1, labels[:, None]).squeeze(1)
    assert make_method("gce:1").penalty(logits, None, labels) == pytest.approx((true - 1).numpy())
    assert make_method("gce:1e-6").penalty(logits, None, labels) == pytest.approx(
        true.log().numpy(), rel=1e-4
    )


def test_flat_is_its_f_divergence():
    p_t, p_y = torch.tensor([0.2, 0.7]), torch.tensor([0.5, 0.1])
    assert f_divergence("kl", p_t, p_y).tolist() == pytest.approx(
        [-0.2 + math.exp(-0.5), -0.7 + math.exp(-0.9)]
    )
    assert f_divergence("tv", p_t, p_y).tolist() == pytest.approx(
        [(math.tanh(y) - math.tanh(t)) / 2 for t, y in ((0.2, 0.5), (0.7, 0.1))]
    )
    assert f_divergence("pearson", p_t, p_y).tolist() == pytest.approx([0.3 + 0.0625, -0.6 + 0.0025])


def test_dpo_starts_at_half_a_push_on_both_answers_and_moves_no_other():
    generator = torch.Generator().manual_seed(1)
    before, now = torch.randn(2, 6, 5, dtype=torch.float64, generator=generator)
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    rows = torch.arange(6)
    second = before.scatter(1, labels[:, None], -torch.inf).argmax(1)
    ratio = now.log_softmax(1) - before.log_softmax(1)
    margin = ratio[rows, labels] - ratio[rows, second]
    for beta in (0.1, 0.5, 4.0):
        wanted = 2 / beta * (1 + (beta / 2 * margin).exp()).log()
        assert pair_penalty(now, before, labels, beta) == pytest.approx(wanted.numpy())
        assert pair_penalty(before, before, labels, beta) == pytest.approx(2 / beta * math.log(2))
        push = slope(lambda z, b=beta: pair_penalty(z, before, labels, b), before)
        assert push[rows, labels] == pytest.approx(0.5) and push[rows, second] == pytest.approx(-0.5)
        assert push.abs().sum() == pytest.approx(6.0)


def test_dipos_margin_is_that_of_the_log_probabilities_and_of_four_divergences():
    generator = torch.Generator().manual_seed(1)
    before, now = torch.randn(2, 6, 5, dtype=torch.float64, generator=generator)
    wins, loses = preferred(before, 2)
    margin = ((wins - loses) * (now - before)).sum(1)
    log_ratio = now.log_softmax(1) - before.log_softmax(1)
    assert margin == pytest.approx(((wins - loses) * log_ratio).sum(1).numpy())
    kl = [kl_div(z.log_softmax(1), p, reduction="none").sum(1) for p in (wins, loses) for z in (before, now)]
    assert margin == pytest.approx((kl[0] - kl[1] - kl[2] + kl[3]).numpy())
    assert (wins.argmax(1) != before.argmax(1)).all() and (loses.argmax(1) == before.argmax(1)).all()


def test_demoted_is_the_original_without_the_label():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
    labels = torch.tensor([0, 1, 2, 1])
    q = demoted(logits, labels)
    p = logits.softmax(1)
    assert (q.gather(1, labels[:, None]) == 0).all()
    others = q > 0
    assert q[others] == pytest.approx((p / (1 - p.gather(1, labels[:, None])))[others].numpy(), rel=1e-5)
    assert demoted(logits[:, :2], labels % 2).argmax(1).tolist() == [1, 0, 1, 0]


def test_a_demoted_student_is_at_the_minimum(model, batches):
    retain, forget = batches
    method = make_method("demote")
    method.prepare(model, [retain], [forget])
    target = demoted(model(forget[0]).detach(), forget[1])
    entropy = -(target * target.clamp_min(1e-30).log()).sum(1).mean()

    class Student(torch.nn.Module):
        def forward(self, x):
            return target.clamp_min(1e-30).log() if len(x) == len(target) else model(x)

    kept = cross_entropy(model(retain[0]), retain[1])
    assert (method.loss(Student(), retain, forget) - kept).item() == pytest.approx(float(entropy), rel=1e-5)


def test_iaus_released_step_is_a_sign_step(model, batches):
    retain, forget = batches
    for form in ("adam1", "sgd"):
        method = make_method(f"iau:0.01:{form}")
        before = [p.detach().clone() for p in model.parameters()]
        method.prepare(model, [retain], [forget])
        method.unlearn_step(model, retain, forget, None, 0, 0)
        for p, old, g in zip(model.parameters(), before, method.direction, strict=True):
            seen = g.abs() > 1e-5  # beside Adam's epsilon
            wanted = g.sign() if form == "adam1" else g
            assert torch.allclose((old - p)[seen], 0.01 * wanted[seen], atol=1e-5)
        moved = [p.detach().clone() for p in model.parameters()]
        method.unlearn_step(model, retain, forget, None, 1, 0)
        assert all(torch.equal(p, old) for p, old in zip(model.parameters(), moved, strict=True))


@pytest.mark.parametrize(
    "spec", ["npo:0", "simnpo:-1", "gce:0", "gce:2", "flat:hellinger", "iau:1:newton", "iau:0", "gu:1.5"]
)
def test_what_is_no_setting_is_refused(spec):
    with pytest.raises(UserError, match=spec.split(":")[0]):
        make_method(spec)
