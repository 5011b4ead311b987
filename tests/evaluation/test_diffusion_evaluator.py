"""The evaluator of diffusion models on untrained networks: tiny, and with known answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.evaluation import EvaluatorSettings
from unlearn_gym.evaluation.evaluators.drawn.diffusion import DEQUANTISED, DiffusionEvaluator
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.metrics import likelihood
from unlearn_gym.metrics.similarity import best_match_ssim

from .tiny_diffusion import SETTINGS, set_of


def test_own_data_measures_what_can_be_measured(env):
    evaluator = make_evaluator(env, SETTINGS)
    assert isinstance(evaluator, DiffusionEvaluator)
    assert evaluator.retrained() is None
    assert len(evaluator.notes()) == 2
    longer = DiffusionEvaluator(env, replace(SETTINGS, sampling_steps=1001))
    assert "has 1000 steps, so that samples were drawn in 1000 steps and not in 1001" in longer.notes()[-1]
    env.reset(seed=0)
    scores = evaluator.score(evaluator.model(), 3)
    assert set(scores.values) == set(evaluator.metrics()) == {"retain_loss", "forget_loss", "ssim_forget"}
    assert set(evaluator.key_metrics) - {"return"} <= set(evaluator.metrics())
    assert set(evaluator.trade_off) <= set(evaluator.metrics())
    assert scores.pictures["forget label"].shape == (12, 8, 8, 1)


def test_a_task_measures_everything(task_env):
    evaluator = make_evaluator(task_env, SETTINGS)
    scores = evaluator.score(evaluator.model(), 3)
    assert set(scores.values) == set(evaluator.metrics())
    assert np.isfinite(list(scores.values.values())).all()
    assert set((*evaluator.key_metrics, *evaluator.trade_off)) - {"return"} <= set(evaluator.metrics())
    assert scores.pictures["other labels"].shape == (2, 8, 8, 1)
    assert evaluator.notes() == ()


def test_one_seed_is_one_noise(task_env):
    evaluator = make_evaluator(task_env, SETTINGS)
    first, again, other = (evaluator.score(evaluator.model(), seed) for seed in (3, 3, 4))
    assert first.values == again.values
    assert first.values["forget_loss"] != other.values["forget_loss"]
    np.testing.assert_array_equal(first.pictures["forget label"], again.pictures["forget label"])


def test_samples_carry_their_labels(task_env):
    evaluator = make_evaluator(task_env, SETTINGS)
    samples = evaluator._draw(evaluator.model(), 0)
    assert samples.labels.tolist() == [1] * 12 + [0, 2] * 4
    balanced = samples.balanced(4)
    assert torch.bincount(samples.labels[balanced]).tolist() == [4, 4, 4]


def test_the_retrained_model_is_nearest_to_itself(task_env):
    evaluator = make_evaluator(
        task_env, EvaluatorSettings(samples=60, class_samples=30, sampling_steps=2, probe=4)
    )
    retrained = evaluator.score(evaluator.retrained(), 0).values["fid_retrained"]
    assert 0 < retrained < evaluator.score(evaluator.model(), 0).values["fid_retrained"]


@pytest.mark.parametrize(("name", "value"), [("samples", 1), ("class_samples", 0), ("probe", 0)])
def test_too_little_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        EvaluatorSettings(**{name: value})


def test_what_is_asked_for_besides(task_env, monkeypatch):
    monkeypatch.setattr(likelihood, "MOST_EVALUATIONS", 40)  # an untrained network's flow is slow to follow
    plain = make_evaluator(task_env, SETTINGS).metrics()
    asked = {"nll_forget", "nll_retain", "mia_auc", "mia_auc_calibrated", "tpr_at_fpr", "tpr_at_fpr_upper"}
    assert "ssim_retain" in plain and not asked & set(plain)
    task_env.process.data = task_env.task.data = replace(task_env.task.data, forget_holdout=set_of(5, 9, 1))
    evaluator = make_evaluator(task_env, replace(SETTINGS, likelihood=2))
    scores = evaluator.score(evaluator.model(), 3)
    assert set(scores.values) == set(evaluator.metrics()) == {*plain, *asked, *DEQUANTISED}
    assert 0 <= scores.values["mia_auc"] <= 1


def test_every_class_by_itself(task_env):
    evaluator = make_evaluator(task_env, SETTINGS)
    scores = evaluator.score(evaluator.model(), 3)
    assert set(scores.classes) == {"class_accuracy", "fid", "kid", "ssim", "inception_score"}
    assert all(set(values) == {"a", "b", "c"} for values in scores.classes.values())
    accuracy, ssim = scores.classes["class_accuracy"], scores.classes["ssim"]
    assert (accuracy["a"] + accuracy["c"]) / 2 == pytest.approx(scores.values["class_accuracy"])
    assert sum(ssim.values()) / 3 == pytest.approx(scores.values["ssim_retain"])
    real = task_env.task.data.retain_holdout
    own = evaluator._draw(evaluator.model(), 3).images[12::2]  # class "a"
    assert best_match_ssim(own, real.inputs[real.labels == 0]) == pytest.approx(ssim["a"])


def test_repeated_forget_images_count_once(task_env):
    before = make_evaluator(task_env, SETTINGS)
    data = task_env.task.data
    twice = LabelledSet(data.forget.inputs.repeat(2, 1, 1, 1), data.forget.labels.repeat(2))
    first = before.score(before.model(), 3).values
    task_env.process.data = task_env.task.data = replace(data, forget=twice)
    again = make_evaluator(task_env, SETTINGS)
    assert len(again._forget) == len(data.forget)
    assert again.score(again.model(), 3).values["ssim_forget"] == first["ssim_forget"]


def test_training_data_to_look_at(task_env):
    shown = make_evaluator(task_env, SETTINGS).examples()
    assert {title: len(images) for title, images in shown.items()} == {
        "to forget": 8,
        "to keep, also under 1": 10,
        "to keep": 20,
    }
