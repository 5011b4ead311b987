"""The digits models come with the package: an environment on them answers at once, with an empty cache."""

import gymnasium as gym
import pytest

from unlearn_gym.cli import main
from unlearn_gym.models.diffusion import tasks
from unlearn_gym.models.store import SHIPPED
from unlearn_gym.models.supervised.tasks import get_supervised_task
from unlearn_gym.models.vae.tasks import get_vae_task

IDS = (
    "SISS-Digits-v0",
    "Weighted-Digits-v0",
    "Redirect-VAE-Digits-v0",
    "EMSE-Digits-v0",
    "Posterior-Requests-v0",
    "EMSE-Requests-v0",
    "SFD-Digits-v0",
)
LARGEST = 2.2e6
"""Bytes of the models of a task: they are in every clone and every wheel."""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """Nothing can be trained, and nothing found that was trained before."""
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path / "cache"))
    for name in (
        "diffusion.tasks.train_ddpm",
        "diffusion.tasks.train_concepts",
        "supervised.tasks.train_classifier",
        "vae.tasks.train_vae",
        "sfd.tasks.distil",
    ):
        monkeypatch.setattr(f"unlearn_gym.models.{name}", None)
    yield
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", IDS)
def test_the_first_environment_has_nothing_to_train(name):
    env = gym.make(f"unlearn_gym/{name}", horizon=2)
    env.reset(seed=0)
    assert env.step([0.5])[0] in env.observation_space


def test_the_references_and_the_evaluator_are_there_too():
    digits = tasks.get_task("digits")
    assert digits.retrained().unet is not None and not digits.concepts().training
    assert get_supervised_task("digits").retrained() is not None
    assert not get_vae_task("vae-digits").retrained().training


@pytest.mark.parametrize("task", ["digits", "emse-digits", "vae-digits", "sfd-digits"])
def test_prepare_says_that_they_are_there(task, capsys):
    assert main(["prepare", task]) == 0
    printed = capsys.readouterr()
    assert f"ready (0 s): they come with the package, in {SHIPPED}." in printed.out and not printed.err


@pytest.mark.parametrize("task", ["digits", "intruders", "vae-digits", "sfd-digits"])
def test_they_are_small(task):
    assert sum(file.stat().st_size for file in SHIPPED.glob(f"{task}-*/**/*") if file.is_file()) < LARGEST
