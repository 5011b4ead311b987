"""Tiny diffusion environments: one of the user's own data, one dressed up as a task."""

from types import SimpleNamespace

import gymnasium as gym
import torch
from torch.nn.utils import parameters_to_vector

import unlearn_gym  # noqa: F401
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.evaluation import EvaluatorSettings
from unlearn_gym.models.diffusion.concepts import ConceptClassifier
from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights

SETTINGS = EvaluatorSettings(samples=12, class_samples=4, sampling_steps=2, probe=16)


def images(n, seed):
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def tiny(seed, classes=3):
    with seeded_weights(seed):
        return DiffusionModel(
            build_unet(8, 1, classes, widths=(8, 8), norm_groups=4).eval(), default_scheduler()
        )


def own_env(tmp_path):
    """An environment on the user's own images."""
    tiny(0, classes=0).save_pretrained(tmp_path / "model")
    return gym.make(
        "unlearn_gym/SISS-v0",
        model=tmp_path / "model",
        retain_data=images(20, 1),
        forget_data=images(6, 2),
        horizon=2,
        batch_size=4,
    ).unwrapped


def set_of(n, seed, label=None):
    labels = torch.arange(n) % 3 if label is None else torch.full((n,), label)
    return LabelledSet(images(n, seed), labels)


def as_task(env):
    """The environment dressed up as one with a task of three classes and a fourth, forgotten concept."""
    data = UnlearningData(
        "tiny", set_of(30, 1), set_of(8, 2, 1), set_of(12, 3), set_of(0, 4), 3, ("a", "b", "c", "d"), 1
    )
    with seeded_weights(5):
        classifier = ConceptClassifier(1, 4, width=4, features=8).eval()
    model = tiny(0)
    env.task = SimpleNamespace(data=data, concepts=lambda: classifier, retrained=lambda: tiny(1))
    env.process.data, env.process.model = data, model.unet
    env.process.original = [parameters_to_vector(model.unet.parameters()).detach().clone()]
    return env
