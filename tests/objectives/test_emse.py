"""Both forms of EMSE against their formulas."""

import math

import pytest
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.objectives import make_supervised_objective
from unlearn_gym.objectives.base import Parts
from unlearn_gym.objectives.emse import LikelihoodEMSE

ERRORS = torch.tensor([0.0, 0.1, 1.0, 30.0], dtype=torch.float64)


def parts(retain, forget):
    nothing = torch.zeros(1)
    return Parts(retain, forget, 0.0, 0.0, 0.0, nothing, nothing, nothing)


def likelihood(sigma=0.5, strength=0.9):
    return make_supervised_objective("likelihood", sigma=sigma, strength=strength)


def test_linear_form():
    found = make_supervised_objective("linear").combine(0.3, parts(2.0, 5.0))
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
    ("name", "hyperparameters", "message"),
    [
        ("quadratic", {}, "likelihood, linear"),
        ("likelihood", {"sigma": 0.0}, "sigma=0.0"),
        ("likelihood", {"strength": 1.0}, "strength=1.0"),
        (
            "likelihood",
            {"stregth": 0.5},
            "has no keyword 'stregth'; allowed are strength, sigma",
        ),
        ("linear", {"sigma": 0.5}, "has no keyword 'sigma'; allowed are none"),
        (LikelihoodEMSE(), {"sigma": 0.5}, "beside an instance of LikelihoodEMSE"),
        (LikelihoodEMSE, {}, "give a name, as text, or an instance"),
        (None, {}, "objective=None"),
        (Exception("no objective"), {}, "makes no Objective"),
    ],
)
def test_bad_settings(name, hyperparameters, message):
    with pytest.raises(UserError, match=message):
        make_supervised_objective(name, **hyperparameters)


def test_an_instance_is_copied():
    own = LikelihoodEMSE(sigma=0.3)
    made = make_supervised_objective(own)
    assert made is not own and vars(made) == vars(own)
