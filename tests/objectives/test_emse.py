"""Both forms of EMSE against their formulas."""

import math

import pytest
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.objectives import SupervisedSettings, make_supervised_objective
from unlearn_gym.objectives.base import Parts

ERRORS = torch.tensor([0.0, 0.1, 1.0, 30.0], dtype=torch.float64)


def parts(retain, forget):
    nothing = torch.zeros(1)
    return Parts(retain, forget, 0.0, 0.0, 0.0, nothing, nothing, nothing)


def likelihood(sigma=0.5, strength=0.9):
    return make_supervised_objective("likelihood", SupervisedSettings(sigma, strength))


def test_linear_form():
    found = make_supervised_objective("linear", SupervisedSettings(1.0, 0.5)).combine(0.3, parts(2.0, 5.0))
    assert (found.c_retain, found.c_forget) == (1.0, -0.3)
    assert found.retain_term + found.forget_term == pytest.approx(2.0 - 0.3 * 5.0)
    assert found.dloss_dlambda == -5.0


def test_likelihood_form_is_the_written_loss():
    objective = likelihood()
    shown = objective.forget_error(ERRORS)
    found = objective.combine(0.3, parts(2.0, float(shown.mean())))
    written = torch.log(1 - 0.9 * torch.exp(-ERRORS / (2 * 0.25))).mean()
    assert found.retain_term + found.forget_term == pytest.approx(2.0 - 0.3 * float(written))
    assert found.dloss_dlambda == pytest.approx(-float(written))
    assert shown[0] == 0 and (shown >= 0).all()
    assert float(shown[-1]) == pytest.approx(-math.log(0.1))


def test_likelihood_gradient_is_strong_near_and_vanishes_far_away():
    errors = ERRORS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(likelihood().forget_error(errors).sum(), errors)
    pushed = 0.9 * torch.exp(-ERRORS / 0.5)
    torch.testing.assert_close(gradient, pushed / (1 - pushed) / 0.5)
    assert gradient[-1] < 1e-12


@pytest.mark.parametrize(
    ("name", "sigma", "strength", "message"),
    [
        ("quadratic", 1.0, 0.5, "likelihood, linear"),
        ("likelihood", 0.0, 0.5, "sigma=0.0"),
        ("likelihood", 1.0, 1.0, "strength=1.0"),
    ],
)
def test_bad_settings(name, sigma, strength, message):
    with pytest.raises(UserError, match=message):
        make_supervised_objective(name, SupervisedSettings(sigma, strength))
