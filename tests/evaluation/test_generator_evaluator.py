"""The evaluator of one-step generators on the shipped one: what it measures, and on generators with known answers."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym.evaluation import EvaluatorSettings
from unlearn_gym.evaluation.evaluators.registry import make_evaluator

SETTINGS = EvaluatorSettings(samples=40, class_samples=6)


@pytest.fixture(scope="module")
def evaluator():
    env = gym.make("unlearn_gym/SFD-Digits-v0", horizon=2, batch_size=8).unwrapped
    env.reset(seed=0)
    return make_evaluator(env, SETTINGS)


@pytest.fixture
def drawing(evaluator, monkeypatch):
    """Let the generator draw what is given for the retained labels and for the forgotten one."""

    def use(kept, gone):
        def generate(model, labels, generator):
            return torch.cat([gone[: evaluator._drawer.of_label], kept])

        monkeypatch.setattr(evaluator._drawer, "_generate", generate)
        return evaluator.score(evaluator.model(), 0).values

    return use


def real_images(evaluator, labels):
    """A held-out image of each label."""
    held = evaluator.env.task.task.data.retain_holdout
    rows = [int((held.labels == label).nonzero()[n % 10]) for n, label in enumerate(labels.tolist())]
    return held.inputs[rows]


def test_it_measures_everything_that_it_names(evaluator):
    scores = evaluator.score(evaluator.model(), 3)
    assert set(scores.values) == set(evaluator.metrics()) and np.isfinite(list(scores.values.values())).all()
    assert set((*evaluator.key_metrics, *evaluator.trade_off)) - {"return"} <= set(evaluator.metrics())
    assert set(scores.trials) == set(evaluator.shares())
    assert scores.pictures["forget label"].shape == (20, 8, 8, 1)
    assert set(scores.classes["class_accuracy"]) == set("0123456789")
    assert scores.values == evaluator.score(evaluator.model(), 3).values
    assert scores.values["passes_per_sample"] == 1.0
    assert evaluator.retrained() is None and evaluator.data().forget_label == 1


def test_the_generator_before_knows_its_labels(evaluator):
    found = evaluator.score(evaluator.model(), 0).values
    assert found["unlearning_accuracy"] < 0.15 and found["class_accuracy"] > 0.9
    assert found["forget_probability"] > 0.85 and found["balance"] < 0.5


def test_real_twos_under_the_forgotten_label_are_forgotten(evaluator, drawing):
    kept = real_images(evaluator, evaluator._drawer.labels[40:])
    found = drawing(kept, real_images(evaluator, torch.full((40,), 2)))
    assert found["unlearning_accuracy"] == found["overridden"] == pytest.approx(1.0, abs=0.03)
    assert found["precision"] == 1.0 and found["class_accuracy"] > 0.95
    assert found["balance"] > 0.95 and found["forget_probability"] < 0.05


def test_noise_is_forgotten_but_not_overridden(evaluator, drawing):
    kept = real_images(evaluator, evaluator._drawer.labels[40:])
    noise = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = drawing(kept, noise)
    assert found["unlearning_accuracy"] > 0.9 and found["overridden"] < 0.3 and found["balance"] < 0.8
    shares = found["overridden"] + found["neither_rate"] + 1 - found["unlearning_accuracy"]
    assert shares == pytest.approx(1.0)


def test_boots_under_the_forgotten_label_are_not_forgotten(evaluator, drawing):
    kept = real_images(evaluator, evaluator._drawer.labels[40:])
    boots = evaluator.env.task.task.data.forget.inputs
    assert drawing(kept, boots)["unlearning_accuracy"] < 0.1
