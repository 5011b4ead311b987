"""Newton deletion, against the fit without the points, in double precision."""

import gymnasium as gym
import pytest
import torch

import unlearn_gym  # noqa: F401
from unlearn_gym.data.sets.curves import legendre, make_curves
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry, Experiment, evaluate
from unlearn_gym.methods.closed_form import make_closed_form
from unlearn_gym.methods.newton import deleted

NOTHING = LabelledSet(torch.empty(0, 1), torch.empty(0, 1))


def fitted(*parts, degree):
    """Return the coefficients of least squares in double precision, which the networks do not keep."""
    x, y = (torch.cat([getattr(part, side) for part in parts]).double() for side in ("inputs", "labels"))
    return torch.linalg.lstsq(legendre(x, degree), y, driver="gelsd").solution


@pytest.mark.parametrize(
    "curves, keywords",
    [("synthetic", {"unwanted_share": share}) for share in (0.1, 0.25, 0.8)] + [("breast_cancer", {})],
)
def test_the_step_lands_on_the_refit(curves, keywords):
    curves = make_curves(curves, **keywords)
    data = curves.draw(3)
    start, refit = (
        fitted(*parts, degree=curves.degree) for parts in ((data.retain, data.forget), (data.retain,))
    )
    torch.testing.assert_close(deleted(start, data, curves.degree), refit, rtol=0, atol=1e-10)


def test_plain_influence_does_not():
    curves = make_curves("synthetic", unwanted_share=0.25)
    data, degree = curves.draw(3), curves.degree
    start, refit = fitted(data.retain, data.forget, degree=degree), fitted(data.retain, degree=degree)
    everyone = UnlearningData("all", LabelledSet(*map(torch.cat, zip(
        (data.retain.inputs, data.retain.labels), (data.forget.inputs, data.forget.labels), strict=True
    ))), data.forget, NOTHING, NOTHING)  # fmt: skip
    influence = deleted(start, everyone, degree)  # the Hessian of all n points, and k/n
    assert 0.1 < (influence - refit).norm() / (refit - start).norm() < 0.9


def test_a_row_of_an_experiment_is_the_retrained_curve(tmp_path):
    experiment = Experiment(
        "unlearn_gym/EMSE-Polynomial-v0",
        (Entry("exact", make=_newton),),
        (3, 4),
        {"curves_kwargs": {"unwanted_share": 0.6}},
        seeded="draw",
    )
    found = evaluate(experiment, tmp_path, progress=False)
    before, exact, retrained = (found.row(name)["r2_wanted"] for name in ("before", "exact", "retrained"))
    assert exact.values == pytest.approx(retrained.values, abs=1e-5)
    assert min(exact.values) > 0.95 > max(before.values)


def _newton(env):
    return make_closed_form("newton", env)


def test_it_starts_from_the_fit_to_all_points_only():
    env = gym.make("unlearn_gym/EMSE-Polynomial-v0")
    env.reset(seed=0)
    newton = make_closed_form("newton", env)
    env.step(env.action_space.low)
    with pytest.raises(UserError, match="only from the least-squares fit to all"):
        newton.unlearn()
    with pytest.raises(UserError, match=r"exact for least-squares fits only, and QuadraticEnv has none"):
        make_closed_form("newton", gym.make("unlearn_gym/Quadratic-v0"))


def test_too_few_points_have_no_step():
    points = LabelledSet(torch.linspace(-1, 1, 3)[:, None], torch.zeros(3, 1))
    with pytest.raises(UserError, match="3 wanted points do not determine a polynomial of degree 3"):
        deleted(torch.zeros(4, 1).double(), UnlearningData("few", points, points, NOTHING, NOTHING), 3)
