"""The evaluator of regressions."""

import gymnasium as gym
import numpy as np
import pytest
from sklearn.metrics import r2_score
from torch import nn

import unlearn_gym  # noqa: F401
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.evaluation.evaluators.regression import RegressionEvaluator
from unlearn_gym.metrics.glossary import look_up


def test_polynomial_is_judged_on_held_out_points():
    env = gym.make("unlearn_gym/EMSE-Polynomial-v0", curves_kwargs={"unwanted_share": 0.45}).unwrapped
    env.reset(seed=0)
    evaluator = make_evaluator(env, EvaluatorSettings())
    assert isinstance(evaluator, RegressionEvaluator) and set(look_up(evaluator.metrics())) == set(
        evaluator.metrics()
    )
    before = evaluator.score(evaluator.model(), 0).values
    held = env.process.data.retain_holdout
    predicted = env.process.model(held.inputs).detach()
    assert before["r2_wanted"] == pytest.approx(r2_score(held.labels.numpy(), predicted.numpy()), rel=1e-4)
    assert evaluator.score(evaluator.retrained(), 0).values["r2_wanted"] > 0.95 > before["r2_wanted"]
    assert not evaluator.notes()


def test_a_users_regression_is_judged_on_its_training_points():
    x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    env = gym.make(
        "unlearn_gym/EMSE-v0",
        model=nn.Linear(1, 1),
        retain_data=(x, 2 * x),
        forget_data=(x, -x),
        batch_size=8,
    ).unwrapped
    evaluator = make_evaluator(env, EvaluatorSettings())
    assert isinstance(evaluator, RegressionEvaluator) and evaluator.retrained() is None
    assert "training points" in evaluator.notes()[0]
    assert np.isfinite(evaluator.score(evaluator.model(), 0).values["fair_r2"])
