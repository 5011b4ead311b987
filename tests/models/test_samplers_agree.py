"""Samples of an unlearned model are judged by DDIM; the last word has DDPM, which the network was trained for."""

import gymnasium as gym
import pytest
import torch
from diffusers import DDPMScheduler

from unlearn_gym.models.diffusion.sampling import ddim, sample

SAMPLES = 100


@pytest.fixture(scope="module")
def unlearned():
    env = gym.make(
        "unlearn_gym/Weighted-Digits-v0", state="lagged", grad_norms=False, reward="loss"
    ).unwrapped
    env.reset(seed=1000)
    for _ in range(env.settings.horizon):
        env.step([0.9])
    return env


def ones(env, images):
    """Return the share of the samples of the label that show it."""
    label = env.process.data.forget_label
    with torch.no_grad():
        return (env.task.concepts()(images.clamp(-1, 1)).argmax(1) == label).float().mean().item()


def drawn(env, scheduler, steps, **kwargs):
    """Draw by a scheduler of diffusers, as its pipelines do."""
    scheduler.set_timesteps(steps)
    images, labels = start(env)
    for step in scheduler.timesteps:
        with torch.no_grad():
            predicted = env.process.model(images, step, class_labels=labels).sample
        images = scheduler.step(predicted, step, images, **kwargs).prev_sample
    return ones(env, images)


def start(env):
    noise = torch.randn(
        SAMPLES, *env.process.data.retain.inputs.shape[1:], generator=torch.Generator().manual_seed(7)
    )
    return noise, torch.full((SAMPLES,), env.process.data.forget_label)


@pytest.mark.slow
def test_ddim_shows_what_ddpm_shows_of_a_strongly_unlearned_model(unlearned):
    noise, labels = start(unlearned)
    schedule = unlearned.process.scheduler
    ours = [
        ones(unlearned, sample(unlearned.process.model, schedule, labels, noise, steps))
        for steps in (25, 100)
    ]
    generator = torch.Generator().manual_seed(1)
    truth = drawn(unlearned, DDPMScheduler.from_config(schedule.config), 1000, generator=generator)
    assert truth > 0.9 and min(ours) > truth - 0.1
    assert drawn(unlearned, ddim(schedule), 25) < truth - 0.3  # diffusers' default, whose noise does not fit
