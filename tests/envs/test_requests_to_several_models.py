"""Requests to several models in one environment: each has the numbers that it has where there is one model only."""

import pickle
import warnings
from dataclasses import replace
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from torch.nn.functional import interpolate

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.envs.requests import models
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.evaluation.evaluators.requests import RequestsEvaluator
from unlearn_gym.models.diffusion.tasks import get_task
from unlearn_gym.processes import diffusion
from unlearn_gym.processes.common.originals import numbers_of

LOOK = {"samples": 6, "class_samples": 2, "sampling_steps": 2}
DIFFUSION = {"intruders": "1", "digits": "ankle boot"}
CLASSIFIERS = {"poisoned-digits": "3 as 4", "memorised-digits": "7"}
"""Family → what is forgotten, in both under the same label: originals are looked at in the same way."""
UNPAID = {"reward": "loss", "reward_kwargs": {}}
CONCEPT = DIFFUSION | CLASSIFIERS
CASES = {
    "weighted": ("Weighted", {}, {"every": 1, "baseline": 0.2, **LOOK}),
    "posterior": ("Posterior", {"objective_kwargs": {"retain_target": "teacher"}, "state": "lagged"}, LOOK),
    "double": ("Weighted", {"dtype": "float64", "state": "lagged"}, LOOK),
    "masked": ("Weighted", {"mask": "saliency:0.5", "state": "lagged"}, LOOK),
    "dampened": ("SISS", {"start": "ssd:2:1", "state": "lagged"}, LOOK),
    "emse": ("EMSE", {}, {"every": 1, "baseline": 0.2}),
    "demote": ("EMSE", {"objective": "demote", "mask": "saliency:0.5"}, {"every": 2}),
}


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(diffusion, "IMPORTANCE_EXAMPLES", 8)


def families_of(case):
    return list(CLASSIFIERS if CASES[case][0] == "EMSE" else DIFFUSION)


def make(case, *families, **changes):
    """Return an environment of two requests: one to each model of a kind, or both to the one that is given."""
    name, kwargs, look = CASES[case]
    one, other = (*families, *families) or families_of(case)
    budget = {"horizon": 3, "learning_rate": 1e-3, "count": 12}
    train = [
        {"forget": CONCEPT[family], "family": family, "name": name, **budget}
        for family, name in ((one, one), (other, other if other != one else "another"))
    ]
    kwargs = {"requests": {"train": train}, "batch_size": 4, "reward_kwargs": look, **kwargs, **changes}
    return gym.make(f"unlearn_gym/{name}-Requests-v0", **kwargs).unwrapped


def run(env, request, seed=7):
    """Return all that an episode shows, and the weights that it leaves."""
    observation, _ = env.reset(seed=seed, options={"request": request})
    shown, ended = [observation], False
    while not ended:
        observation, reward, ended, _, info = env.step(np.full(env.action_space.shape, 0.3, np.float32))
        shown += [observation, reward, *info["reward_terms"].values(), info.get("dampened", 0.0)]
    return np.hstack(shown), env.process._weights.detach().clone()


def same(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    return torch.equal(one[1], other[1])


@pytest.mark.parametrize("case", CASES)
def test_a_request_has_the_numbers_of_an_environment_of_its_model_alone(case):
    env, (first, second) = make(case), families_of(case)
    there = [run(env, family) for family in (first, second, first, second)]
    for family, one, other in ((first, there[0], there[2]), (second, there[1], there[3])):
        assert same(one, other)
        assert same(one, run(make(case, family), family))


@pytest.mark.parametrize("case", ["weighted", "demote"])
def test_what_the_memory_does_not_hold_is_made_on_demand(case):
    poor, rich = make(case, memory=0), make(case)
    for family in families_of(case) * 2:
        assert same(run(poor, family), run(rich, family))
        assert len(poor.models._held) == 1
    assert len(rich.models._held) == 4  # two requests, and the weights of two models


def test_the_networks_are_those_of_the_tasks():
    env = make("weighted")
    for family in ("digits", "intruders", "digits"):
        env.reset(options={"request": family})
        (weights,) = numbers_of(get_task(family).original().unet)
        assert torch.equal(env.process._weights, weights) and env.family.name == family


@pytest.mark.parametrize("case", ["posterior", "demote"])
def test_an_episode_of_another_model_goes_on_after_a_kill(case):
    env, other, third = make(case), make(case), make(case)
    first, second = families_of(case)
    env.reset(seed=5, options={"request": second})
    action = np.array([0.2], np.float32)
    env.step(action)
    state = env.state_dict()
    other.reset(seed=1, options={"request": first})
    for copy in (other, pickle.loads(pickle.dumps(third))):
        copy.load_state_dict(state)
        assert copy.request.name == second
    for _ in range(2):
        (seen, reward, *_), (seen_again, reward_again, *_) = env.step(action), other.step(action)
        np.testing.assert_array_equal(seen, seen_again)
        assert reward == reward_again


@pytest.mark.parametrize("case", ["weighted", "emse"])
def test_the_evaluator_judges_each_by_its_own_family(case):
    settings = EvaluatorSettings(6, 2, 2)

    def measured(env, family):
        evaluator = RequestsEvaluator(env, settings)
        run(env, family)
        return evaluator.score(evaluator.model(), 3).values

    env = make(case, **UNPAID)
    for family in families_of(case):
        assert measured(env, family) == measured(make(case, family, **UNPAID), family)


@pytest.mark.parametrize("case", ["weighted", "emse"])
def test_one_evaluator_does_not_take_one_original_for_the_other(case):
    env, looks = make(case, **UNPAID), {}
    meter = RequestsEvaluator(env, EvaluatorSettings(6, 2, 2))._meter
    for family in families_of(case):
        alone = make(case, family, **UNPAID)
        looks[family] = RequestsEvaluator(alone, EvaluatorSettings(6, 2, 2))._meter.before(
            alone.asked.shown, 0
        )
    for request in env.choices:  # the process has the first one's model
        found, wanted = meter.before(env.models.shown(request), 0).shares, looks[request.family].shares
        assert found.keys() == wanted.keys() and all(torch.equal(found[k], wanted[k]) for k in found)
    env.reset(options={"request": 1})
    assert meter.measure(env.process.model, env.asked.shown, 0).score == 0.0


def test_the_checker_finds_nothing_in_the_ready_made_set():
    env = gym.make(
        "unlearn_gym/Weighted-Requests-v0", requests="mixed", split="test", state="lagged", horizon=2,
        batch_size=4, reward_kwargs=LOOK,
    ).unwrapped  # fmt: skip
    assert {request.family for request in env.choices} == {"digits", "intruders"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*symmetric and normalized.*")
        check_env(env, skip_render_check=True)


def twice_as_large(part):
    return LabelledSet(interpolate(part.inputs, scale_factor=2.0), part.labels)


def other_images(task, data):
    parts = ("retain", "forget", "retain_holdout", "forget_holdout")
    return replace(data, **{part: twice_as_large(getattr(data, part)) for part in parts}), task.original()


def other_labels(task, data):
    return replace(data, num_classes=9), task.original()


def other_layers(task, data):
    original = task.original()
    return data, replace(original, unet=type(original.unet).from_config(
        {**original.unet.config, "block_out_channels": [16, 40]}
    ))  # fmt: skip


def other_settings(task, data):
    original = task.original()
    return data, replace(original, unet=type(original.unet).from_config(
        {**original.unet.config, "center_input_sample": True}
    ))  # fmt: skip


def other_schedule(task, data):
    original = task.original()
    changed = type(original.scheduler).from_config({**original.scheduler.config, "beta_end": 0.03})
    return data, replace(original, scheduler=changed)


@pytest.mark.parametrize(
    "change, words",
    [
        (other_images, "images of another shape"),
        (other_labels, "another number of labels"),
        (other_layers, "other layers"),
        (other_settings, "a network of other settings"),
        (other_schedule, "another noise schedule"),
    ],
)
def test_models_that_differ_in_more_than_weights_are_refused_at_once(change, words, monkeypatch):
    def changed(name):
        task = get_task(name)
        if name == "intruders":
            return task
        data, original = change(task, task.data)
        return SimpleNamespace(data=data, original=lambda: original, concepts=task.concepts)

    monkeypatch.setattr(models, "get_task", changed)
    with pytest.raises(UserError, match=f"model of digits has {words}; give each a set of its own"):
        make("weighted")


def test_models_of_other_splits_need_not_fit():
    requests = {
        "train": [{"forget": "7", "horizon": 2, "learning_rate": 1e-3, "family": "digits"}],
        "transfer": [{"forget": "7", "horizon": 2, "learning_rate": 1e-3, "family": "trousers"}],
    }
    assert list(make("weighted", requests=requests).models.families) == ["digits"]


@pytest.mark.parametrize("family, words", [("cats", "'cats'"), ("poisoned-digits", "'poisoned-digits'")])
def test_an_unknown_family_of_a_request_is_one_sentence(family, words):
    requests = {"family": "digits", "train": [{"forget": "7", "horizon": 2, "learning_rate": 1e-3}]}
    requests["train"].append({**requests["train"][0], "family": family})
    with pytest.raises(UserError, match=words):
        make("weighted", requests=requests)


def test_concepts_are_those_of_the_requests_own_family():
    requests = {"family": "digits", "train": [{"forget": "sandal", "horizon": 2, "learning_rate": 1e-3}]}
    with pytest.raises(UserError, match="digits shows no 'sandal'"):
        make("weighted", requests=requests)
    requests["train"][0]["family"] = "intruders"
    make("weighted", requests=requests)
