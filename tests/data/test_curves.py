"""Regression problems have the shares, correlations and sizes that were asked for."""

import pytest
import torch

from unlearn_gym.data.sets.curves import BreastCancerCurves, SyntheticCurves, legendre, make_curves
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.regression import r2
from unlearn_gym.models.polynomial import Polynomial
from unlearn_gym.processes.regression import fit_all, fit_wanted


def test_legendre_polynomials_are_orthonormal():
    x = torch.linspace(-1, 1, 20001, dtype=torch.float64)[:, None]
    features = legendre(x, 5)
    torch.testing.assert_close(features.T @ features / len(x), torch.eye(6).double(), atol=2e-3, rtol=0)
    assert legendre(x, 0).shape == (20001, 1)


def test_a_polynomial_without_noise_is_found_exactly():
    x = torch.linspace(-1, 1, 30)[:, None]
    y = 2 * x**3 - x + 0.5
    torch.testing.assert_close(Polynomial(3).fit(x, y)(x), y)


def test_shares_and_draws():
    curves = SyntheticCurves(unwanted_share=0.8, points=100)
    first, again, other = curves.draw(1), curves.draw(1), curves.draw(2)
    assert (len(first.retain), len(first.forget)) == (20, 80)
    assert (len(first.retain_holdout), len(first.forget_holdout)) == (20, 80)
    assert torch.equal(first.forget.labels, again.forget.labels)
    assert not torch.equal(first.forget.labels, other.forget.labels)
    sizes = {len(SyntheticCurves(unwanted_share=(0.1, 0.8)).draw(seed).forget) for seed in range(10)}
    assert len(sizes) > 3


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.9])
def test_curves_correlate_as_asked(rho):
    curves = SyntheticCurves(correlation=rho, offset=2.0)
    wanted, unwanted = curves._curves(torch.Generator().manual_seed(0))
    assert float((wanted[1:] * unwanted[1:]).sum()) == pytest.approx(rho)
    for curve, mean in ((wanted, 0.0), (unwanted, 2.0)):
        assert float(curve[1:].norm()) == pytest.approx(1) and float(curve[0]) == mean


def test_unwanted_noise_depends_on_wanted_noise():
    data = SyntheticCurves(correlation=0.9, points=2000).draw(0)
    left = [
        part.labels - Polynomial(5).fit(part.inputs, part.labels)(part.inputs)
        for part in (data.retain, data.forget)
    ]
    found = torch.corrcoef(torch.cat(left, 1).detach().T)[0, 1]
    assert float(found) == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("curves", [SyntheticCurves(), BreastCancerCurves()], ids=["synthetic", "real"])
def test_refitting_lifts_the_wanted_r2(curves):
    lifts = []
    for draw in range(5):
        data = curves.draw(draw)
        held = data.retain_holdout
        scores = [r2(held.labels, fit(data, curves.degree)(held.inputs)) for fit in (fit_all, fit_wanted)]
        lifts.append(scores[1] - scores[0])
    assert min(lifts) > 0


def test_real_groups():
    data = BreastCancerCurves().draw(0)
    assert len(data.retain) + len(data.retain_holdout) == 357
    assert len(data.forget) + len(data.forget_holdout) == 212


@pytest.mark.parametrize(
    ("name", "keywords", "message"),
    [
        ("sine", {}, "breast_cancer, synthetic"),
        ("synthetic", {"unwanted_share": 1.0}, "unwanted_share=1.0"),
        ("synthetic", {"correlation": 2}, "correlation=2"),
        ("synthetic", {"colour": 1}, "colour"),
        ("synthetic", {"degree": 2.5}, "degree=2.5"),
        ("synthetic", {"degree": 10**6}, "from 2 to 50"),
        ("synthetic", {"points": -4}, "points=-4"),
        ("synthetic", {"points": 10**12}, "points=10000"),
        ("synthetic", {"noise": float("nan")}, "noise=nan"),
        ("synthetic", {"offset": float("inf")}, "offset=inf"),
        ("synthetic", {"offset": "far"}, "offset='far'"),
        ("synthetic", {"unwanted_share": float("nan")}, "unwanted_share=nan"),
        ("breast_cancer", {"degree": 0}, "degree=0"),
        ("synthetic", {"unwanted_share": "half"}, "half"),
    ],
)
def test_bad_curves(name, keywords, message):
    with pytest.raises(UserError, match=message):
        make_curves(name, **keywords)
