from types import SimpleNamespace

import pytest
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.metrics.losses import DenoisingProbe, denoising_mia_auc, example_losses


class Zero(torch.nn.Module):
    """Predicts ``value`` as the noise of every pixel and takes down what it was asked."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value))
        self.asked = []

    def forward(self, noisy, timesteps, class_labels=None):
        self.asked.append((timesteps, class_labels))
        return SimpleNamespace(sample=self.value.expand_as(noisy))


@pytest.fixture
def examples():
    return LabelledSet(torch.zeros(10, 1, 4, 4), torch.arange(10))


def draw(examples, conditional=True):
    return DenoisingProbe.draw(examples, conditional, 500, 1000, torch.Generator().manual_seed(0))


def test_loss_in_closed_form(examples):
    # E (c − ε)² = c² + 1 for standard normal ε.
    probe = draw(examples)
    assert probe.loss(Zero(2.0), DDPMScheduler()) == pytest.approx(5.0, rel=0.03)
    exact = float((probe.noise - 2.0).square().mean())
    assert probe.loss(Zero(2.0), DDPMScheduler()) == pytest.approx(exact, rel=1e-5)


def test_timesteps_are_spread_evenly(examples):
    probe = draw(examples)
    assert torch.equal(probe.timesteps.sort().values // 2, torch.arange(500))


def test_labels_go_with_their_images(examples):
    model = Zero()
    draw(examples).loss(model, DDPMScheduler())
    labels = torch.cat([asked[1] for asked in model.asked])
    assert torch.equal(labels, torch.arange(500) % 10)


def test_unconditional_models_are_told_no_label(examples):
    model = Zero()
    draw(examples, conditional=False).loss(model, DDPMScheduler())
    assert model.asked[0][1] is None


class Fits(Zero):
    """Knows the noise of images that are 0, and predicts none in others."""

    def forward(self, noisy, timesteps, class_labels=None):
        sigma = (1 - DDPMScheduler().alphas_cumprod[timesteps]).sqrt().view(-1, 1, 1, 1)
        known = (class_labels < 5).view(-1, 1, 1, 1)
        return SimpleNamespace(sample=torch.where(known, noisy / sigma, self.value))


def test_losses_of_each_example(examples):
    found = example_losses(Fits(), DDPMScheduler(), examples, True, torch.Generator().manual_seed(0), steps=4)
    assert found.shape == (10,)
    torch.testing.assert_close(found[:5], torch.zeros(5, dtype=torch.float64), atol=1e-10, rtol=0)
    probe = DenoisingProbe.cross(examples, True, 4, 1000, torch.Generator().manual_seed(0))
    assert probe.timesteps[::10].tolist() == [125, 375, 625, 875]
    exact = probe.noise.double().square().flatten(1).mean(1).view(4, 10).mean(0)
    torch.testing.assert_close(found[5:], exact[5:])


def test_members_are_told_by_their_low_losses():
    low, high = torch.tensor([0.1, 0.2]), torch.tensor([0.3, 0.4])
    assert denoising_mia_auc(low, high) == 1.0
    assert denoising_mia_auc(high, low) == 0.0
    assert denoising_mia_auc(low, low) == 0.5
