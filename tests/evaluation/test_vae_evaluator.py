"""The evaluator of VAEs on the models that come with the package."""

import gymnasium as gym
import numpy as np
import pytest

import unlearn_gym  # noqa: F401
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import EvaluatorSettings
from unlearn_gym.evaluation.evaluators.drawn.vae import VAEEvaluator
from unlearn_gym.evaluation.evaluators.registry import make_evaluator

SETTINGS = {"samples": 40, "class_samples": 4, "probe": 64}


def evaluator(**settings):
    env = gym.make("unlearn_gym/Weighted-VAE-Digits-v0", horizon=2, batch_size=8).unwrapped
    env.reset(seed=0)
    made = make_evaluator(env, EvaluatorSettings(**SETTINGS, **settings))
    assert isinstance(made, VAEEvaluator)
    return made


def test_everything_is_measured_and_one_seed_is_one_noise():
    judge = evaluator(likelihood=5)
    first, again, other = (judge.score(judge.model(), seed) for seed in (3, 3, 4))
    assert set(first.values) == set(judge.metrics())
    assert np.isfinite(list(first.values.values())).all()
    assert set((*judge.key_metrics, *judge.trade_off)) - {"return"} <= set(judge.metrics())
    assert first.values == again.values and first.values["forget_loss"] != other.values["forget_loss"]
    assert first.pictures["forget label"].shape == (20, 8, 8, 1) and first.trials["concept_rate"] == 40
    assert first.classes["class_accuracy"].keys() == {str(digit) for digit in range(10)}
    assert "nll_forget" not in evaluator().metrics()


def test_the_retrained_model_expects_no_boots():
    judge = evaluator(likelihood=20)
    before, retrained = (judge.score(model, 1).values for model in (judge.before(), judge.retrained()))
    assert before["concept_rate"] > 0.2 and retrained["concept_rate"] == 0.0
    for name in ("forget_loss", "reconstruction_forget", "nll_forget"):
        assert retrained[name] > 2 * before[name]
    assert retrained["nll_retain"] < 1.05 * before["nll_retain"]
    assert before["nll_retain"] > 0.31  # bits of the grey values themselves
    assert retrained["fid_retrained"] < before["fid_retrained"]


def test_a_ruined_encoder_is_no_forgetting():
    judge = evaluator()
    before = judge.score(judge.model(), 1).values
    judge.model().encoder[-1].bias.data.add_(3.0)
    after = judge.score(judge.model(), 1).values
    assert after["forget_loss"] > 5 * before["forget_loss"]
    assert after["reconstruction_forget"] > 5 * before["reconstruction_forget"]
    assert after["concept_rate"] == before["concept_rate"] and after["balance"] == before["balance"]


def test_attacks_need_no_label_embedding():
    judge = evaluator(relearn=("retain",), rounding=(8,), equal_retain=0.9)
    values = judge.score(judge.model(), 0).values
    assert set(values) == set(judge.metrics())
    assert values["quantised_concept_rate_8bit"] == pytest.approx(values["concept_rate"], abs=0.1)
    with pytest.raises(UserError, match="attack was asked for, but a VAE's label is no embedding"):
        evaluator(attack=("overlap",))
