"""The overrides of score forgetting distillation: closed forms, and what they become in special cases."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.sfd import OVERRIDES
from unlearn_gym.objectives.sfd.base import Classes, ForgetLatents, drawn
from unlearn_gym.objectives.sfd.densities import ClassGaussians, Kernels
from unlearn_gym.objectives.sfd.posterior import Posterior, gate

PIXELS = 4


def images_of(labels, count):
    """Images of the label c: around c in every pixel."""
    noise = torch.randn(len(labels), count, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    return labels.view(-1, 1, 1, 1, 1) + 0.3 * noise


def judge(images):
    """Likes labels near the mean pixel; the last of five outputs is neither."""
    means = images.flatten(1).mean(1, keepdim=True)
    return torch.cat([-5 * (means - torch.arange(4)).square(), torch.full_like(means, -9.0)], 1)


def classes(retained=(0, 2, 3), forgotten=1, images=images_of):
    return Classes(torch.tensor(retained), forgotten, images, judge)


def side(mean, *, gamma=0.9, count=200, seed=1):
    """Latents of images around a number, and what the fake score makes of them."""
    generator = torch.Generator().manual_seed(seed)
    images = mean + 0.3 * torch.randn(count, 1, 2, 2, generator=generator)
    sigma = math.sqrt(1 - gamma**2)
    latents = gamma * images + sigma * torch.randn(images.shape, generator=generator)
    ones = torch.ones(count)
    return ForgetLatents(latents, gamma * ones, sigma * ones, images, torch.rand(count, generator=generator))


def met(override, known=None):
    override.meet(known or classes())
    return override


def test_fixed_takes_the_next_label_or_the_given_one():
    assert met(OVERRIDES["fixed"]()).targets(side(1.0), 0.1).labels.unique().tolist() == [2]
    last = met(OVERRIDES["fixed"](), classes((0, 1, 2), 3))
    assert last.targets(side(1.0), 0.1).labels.unique().tolist() == [0]
    assert met(OVERRIDES["fixed"](label=3)).targets(side(1.0), 0.1).labels.unique().tolist() == [3]
    with pytest.raises(UserError, match="label=1, which is not kept; choose one of 0, 2, 3"):
        met(OVERRIDES["fixed"](label=1))


def test_random_takes_every_retained_label_as_often():
    found = met(OVERRIDES["random"]()).targets(side(1.0, count=6000), 0.1)
    assert found.labels.shape == found.weights.shape == (1, 6000) and (found.weights == 1).all()
    counts = found.labels.flatten().bincount(minlength=4) / 6000
    assert counts.tolist() == pytest.approx([1 / 3, 0.0, 1 / 3, 1 / 3], abs=0.03)


def test_the_classifier_never_says_the_forgotten_label():
    seen = side(1.2)
    likely = met(OVERRIDES["classifier"]()).targets(seen, 0.1).labels
    assert set(likely.unique().tolist()) <= {0, 2} and (likely == 2).float().mean() > 0.7
    sampled = met(OVERRIDES["classifier"](pick="sampled")).targets(side(1.2, count=5000), 0.1).labels
    expected = judge(side(1.2, count=5000).denoised)[:, [0, 2, 3]].softmax(1).mean(0)
    assert (sampled.flatten().bincount(minlength=4)[[0, 2, 3]] / 5000).tolist() == pytest.approx(
        expected.tolist(), abs=0.02
    )


def test_drawing_by_a_uniform_number_is_the_inverse_of_the_distribution_function():
    shares = torch.tensor([[0.2, 0.0, 0.8]]).repeat(4, 1)
    assert drawn(shares, torch.tensor([0.0, 0.19, 0.2, 1.0])).tolist() == [0, 0, 2, 2]


@pytest.mark.parametrize("gamma", [0.99, 0.5, 0.05])
def test_class_gaussians_are_multivariate_normals(gamma):
    known, seen = classes(), side(2.0, gamma=gamma, count=20)
    found = ClassGaussians(known, 50).logs(seen)
    for column, images in enumerate(images_of(known.columns, 50).flatten(2)):
        covariance = gamma**2 * images.T.cov() + (1 - gamma**2) * torch.eye(PIXELS)
        normal = MultivariateNormal(gamma * images.mean(0), covariance)
        expected = normal.log_prob(seen.latents.flatten(1)) + PIXELS / 2 * math.log(2 * math.pi)
        assert torch.allclose(found[:, column], expected, rtol=1e-3, atol=1e-3)


def test_directions_beyond_the_rank_share_one_variance(monkeypatch):
    monkeypatch.setattr(ClassGaussians, "rank", 1)
    known, seen = classes(), side(2.0, count=5)
    found = ClassGaussians(known, 50)
    images = images_of(known.columns, 50).flatten(2)[0]
    values, vectors = torch.linalg.eigh(images.T.cov())
    first, rest = vectors[:, -1:], values[:-1].mean()
    low_rank = values[-1] * first @ first.T + rest * (torch.eye(PIXELS) - first @ first.T)
    normal = MultivariateNormal(0.9 * images.mean(0), 0.81 * low_rank + (1 - 0.81) * torch.eye(PIXELS))
    expected = normal.log_prob(seen.latents.flatten(1)) + PIXELS / 2 * math.log(2 * math.pi)
    assert torch.allclose(found.logs(seen)[:, 0], expected, rtol=1e-3, atol=1e-3)


def test_kernels_are_the_mean_of_normals():
    known, seen = classes(), side(2.0, count=20)
    found = Kernels(known, 8).logs(seen)
    images = images_of(known.columns, 8).flatten(2)
    sigma = seen.sigma[0]
    gaps = seen.latents.flatten(1).view(20, 1, 1, PIXELS) - 0.9 * images
    expected = (-0.5 * gaps.square().sum(3) / sigma**2).exp().mean(2).log()
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("density", ["gaussian", "kernel", "classifier"])
def test_one_retained_class_has_the_whole_posterior(density):
    """Degeneracy: |C_r| = 1 ⇒ a = 1, which is SFD with a fixed class."""
    for form in ("sampled", "sum"):
        override = met(Posterior(density=density, form=form), classes((2,)))
        found, fixed = (
            each.targets(side(1.0), 0.5) for each in (override, met(OVERRIDES["fixed"](), classes((2,))))
        )
        assert torch.equal(found.labels, fixed.labels) and torch.allclose(found.weights, fixed.weights)


@pytest.mark.parametrize("density", ["gaussian", "kernel"])
def test_equal_densities_leave_the_prior(density):
    """Degeneracy: equal kernels ⇒ a = π."""
    same = classes(
        images=lambda labels, count: images_of(torch.zeros_like(labels), count)[:1].expand(
            len(labels), -1, -1, -1, -1
        )
    )
    found = met(Posterior(density=density, form="sum"), same).targets(side(1.0), 0.5)
    assert torch.allclose(found.weights, torch.full_like(found.weights, 1 / 3), atol=1e-5)


def test_the_gate_is_open_at_lambda_0_and_bounded():
    """Degeneracy: λ = 0 ⇒ gate = 1; it closes where z looks like c_f."""
    logs = met(Posterior(temperature=1.0)).logs(side(1.0))
    assert torch.equal(gate(logs, 0.0), torch.ones(200))
    for lam in (1e-3, 0.5, 0.9):
        passes = gate(logs, lam)
        assert ((passes >= 0) & (passes <= (1 + 1e-5) / (1 - lam))).all()
    alike, other = (
        gate(met(Posterior(temperature=1.0)).logs(side(mean, gamma=0.99)), 0.5) for mean in (1.0, 3.0)
    )
    assert alike.mean() < 0.1 and other.mean() == pytest.approx(2.0, rel=1e-3)


def test_the_gate_is_one_minus_the_posterior_of_the_forgotten_class():
    logs = met(Posterior(temperature=1.0)).logs(side(1.0))
    kept, gone = logs[:, :-1].exp().sum(1), logs[:, -1].exp()
    r = 0.3 * gone / (0.7 * kept + 0.3 * gone)
    assert torch.allclose(gate(logs, 0.3), (1 - r) / 0.7, rtol=1e-4)


def test_a_sampled_class_has_the_mean_of_the_sum():
    few = side(1.5, count=3)
    repeated = ForgetLatents(
        *(part.repeat_interleave(4000, 0) for part in list(vars(few).values())[:4]),
        torch.rand(12000, generator=torch.Generator().manual_seed(3)),
    )
    shares = met(Posterior(form="sum")).targets(few, 0.5).weights
    labels = met(Posterior()).targets(repeated, 0.5).labels.view(3, 4000)
    found = torch.stack([(labels == label).float().mean(1) for label in (0, 2, 3)])
    assert torch.allclose(found, shares, atol=0.03)


def test_the_temperature_flattens_the_posterior():
    def entropy(temperature):
        shares = met(Posterior(form="sum", temperature=temperature)).targets(side(1.6), 0.5).weights
        return float(torch.special.entr(shares).sum(0).mean())

    assert entropy(0.1) < entropy(4.0) < entropy(1e6) == pytest.approx(math.log(3), rel=1e-3)


@pytest.mark.parametrize("density", ["gaussian", "kernel", "classifier"])
def test_extreme_latents_stay_finite(density):
    far = side(1e4, gamma=0.9999)
    found = met(Posterior(density=density, form="sum", temperature=1e-3, gate=True)).targets(far, 0.9)
    assert found.weights.isfinite().all() and torch.allclose(
        found.weights.sum(0), gate(met(Posterior(density=density, temperature=1e-3)).logs(far), 0.9)
    )


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"density": "flat"}, "density"),
        ({"temperature": 0}, "temperature"),
        ({"form": "all"}, "form"),
        ({"samples": 0}, "samples"),
        ({"gate": 1}, "gate"),
    ],
)
def test_wrong_hyperparameters_are_named(keywords, named):
    with pytest.raises(UserError, match=named):
        Posterior(**keywords)
