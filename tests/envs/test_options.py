"""Shared options: seen in signature and page, keywords of objective and reward, instances, earlier names."""

import inspect
import pickle
import re

import gymnasium as gym
import numpy as np
import pytest
import torch

from tests.envs.small import SHORT, small_kwargs
from unlearn_gym.envs.diffusion import DiffusionUnlearningEnv
from unlearn_gym.envs.options import DiffusionOptions, PolynomialOptions, SupervisedOptions
from unlearn_gym.envs.quadratic import QuadraticEnv
from unlearn_gym.envs.regression import PolynomialEnv
from unlearn_gym.envs.rewards import ProgressReward
from unlearn_gym.envs.sfd.env import SFDUnlearningEnv
from unlearn_gym.envs.sfd.options import SFDOptions
from unlearn_gym.envs.supervised import SupervisedUnlearningEnv
from unlearn_gym.errors import UserError
from unlearn_gym.objectives import DIFFUSION_OBJECTIVES, SUPERVISED_OBJECTIVES
from unlearn_gym.objectives.base import Combination, Objective
from unlearn_gym.objectives.preference import DPO
from unlearn_gym.objectives.siss import SISS
from unlearn_gym.runtime.registered import keywords_of

OPTIONS = {
    DiffusionUnlearningEnv: DiffusionOptions,
    SupervisedUnlearningEnv: SupervisedOptions,
    PolynomialEnv: PolynomialOptions,
    SFDUnlearningEnv: SFDOptions,
}
DIFFUSION = "unlearn_gym/SISS-v0"
WEIGHTED_TROUSERS = "unlearn_gym/Weighted-Trousers-v0"


def make(folder, env_id=DIFFUSION, **kwargs):
    return gym.make(env_id, **{**small_kwargs(env_id, folder), **kwargs}).unwrapped


def shown(env, steps=3):
    """Return what an episode shows; stacked environments get the same actions in each."""
    parts = [env.reset(seed=0)[0]]
    for lam in np.linspace(0.2, 0.8, steps, dtype=np.float32):
        observation, reward, *_ = env.step(np.full(env.action_space.shape, lam))
        parts += [observation, reward]
    return np.concatenate([np.ravel(part) for part in parts])


def tables(family):
    """Return the cells of the two tables of a page's arguments: names in backticks, and what stands between."""
    text = inspect.getdoc(family).split("## Arguments")[1].split("```")[0]
    return [
        re.findall(r"^\| (`[^|]*) \| ([^|]*) \| (`[^|]*) \|", part, re.MULTILINE)
        for part in text.split("\n\n")
    ]


def quoted(cell):
    return re.findall("`(.*?)`", cell)


@pytest.mark.parametrize("family", [*OPTIONS, QuadraticEnv])
def test_the_page_lists_the_signature_with_its_defaults(family):
    listed = {}
    for names, _, defaults in tables(family)[0]:
        names, defaults = quoted(names), quoted(defaults)
        listed.update(zip(names, defaults * len(names) if len(defaults) == 1 else defaults, strict=True))
    signature = inspect.signature(family).parameters
    assert {name: eval(value) for name, value in listed.items()} == {
        n: p.default for n, p in signature.items()
    }


@pytest.mark.parametrize(("family", "options"), OPTIONS.items())
def test_the_page_lists_the_keywords_of_objectives_and_rewards(family, options):
    rows = tables(family)[1]
    listed = {
        (name, *quoted(key)): eval(*quoted(value)) for names, key, value in rows for name in quoted(names)
    }
    found = {
        (name, key): options.FAMILY_DEFAULTS.get(key, parameter.default)
        for registry in options.registries().values()
        for name, maker in registry.items()
        for key, parameter in inspect.signature(maker).parameters.items()
        if key in keywords_of(maker)
    }
    assert listed == found


OLD = [
    ({"forget_norm": 0.3}, {"objective_kwargs": {"forget_norm": 0.3}}),
    (
        {"forget_scaling": "coef", "superfactor": 2.0, "dataset_factors": "paper", "x_from": "all"},
        {
            "objective_kwargs": {
                "forget_scaling": "coef",
                "superfactor": 2.0,
                "dataset_factors": "paper",
                "x_from": "all",
            }
        },
    ),
    (
        {"objective": "erasediff", "erasediff_eta": 0.3},
        {"objective": "erasediff", "objective_kwargs": {"eta": 0.3}},
    ),
    (
        {"objective": "weighted", "reward": "progress", "forget_cap": 0.3, "retain_weight": 9.0},
        {
            "objective": "weighted",
            "objective_kwargs": {"forget_cap": 0.3},
            "reward": "progress",
            "reward_kwargs": {"forget_cap": 0.3, "retain_weight": 9.0},
        },
    ),
    ({"forget_cap": 0.3, "retain_weight": 9.0}, {}),
]


@pytest.mark.parametrize(("old", "new"), OLD)
def test_earlier_keywords_still_work_and_name_today_s(tmp_path, old, new):
    flat = old.keys() - new.keys()
    with pytest.warns(DeprecationWarning) as warned:
        before = make(tmp_path, **old)
    assert len(warned) == len(flat) and all(w.filename == __file__ for w in warned)
    for keyword in flat:
        (said,) = [str(w.message) for w in warned if str(w.message).startswith(f"{keyword}= is deprecated")]
        places = [place for place in new if keyword.replace("erasediff_", "") in (new[place] or ())]
        assert all(place in said for place in places) and ("leave it out" in said) == (not places)
    after = make(tmp_path, **new)
    assert before.settings == after.settings
    np.testing.assert_array_equal(shown(before), shown(after))


def test_one_keyword_in_both_forms_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"^forget_norm= .*leave one out"):
        make(tmp_path, forget_norm=0.3, objective_kwargs={"forget_norm": 0.2})


def test_what_fits_the_network_of_an_id_stays_whatever_else_is_given(tmp_path):
    price = make(tmp_path, WEIGHTED_TROUSERS, reward_kwargs={"retain_weight": 5.0})
    assert price.settings.reward_kwargs == {"forget_cap": 0.08, "retain_weight": 5.0}
    assert price.settings.objective_kwargs == {"forget_cap": 0.08}
    other = make(tmp_path, WEIGHTED_TROUSERS, objective="siss", reward="balance")
    assert other.settings.objective_kwargs == {}
    assert other.settings.reward_kwargs == {"forget_cap": 0.08, "retain_weight": 200.0}


def test_instances_in_the_place_of_names(tmp_path):
    objective, reward = SISS(forget_norm=0.3), ProgressReward(retain_weight=9.0)
    own = {"objective": objective, "reward": reward}
    named = {"objective_kwargs": {"forget_norm": 0.3}}
    named |= {"reward": "progress", "reward_kwargs": {"retain_weight": 9.0}}
    env = make(tmp_path, **own)
    np.testing.assert_array_equal(shown(env), shown(make(tmp_path, **named)))
    assert env.process.objective is not objective and env._reward is not reward
    copy = pickle.loads(pickle.dumps(env))
    np.testing.assert_array_equal(shown(copy), shown(env))


def test_an_instance_says_what_the_retain_images_are_drawn_from(tmp_path):
    objective = SISS(x_from="all")
    assert len(make(tmp_path, objective=objective).process.keep) == 40
    objective.x_from = "elsewhere"
    with pytest.raises(UserError, match="x_from='elsewhere'"):
        make(tmp_path, objective=objective)


def test_an_entry_of_a_registry_with_a_keyword_that_has_no_default(tmp_path, monkeypatch):
    monkeypatch.setitem(DIFFUSION_OBJECTIVES, "old", lambda settings: SISS())
    with pytest.raises(UserError, match="objective='old' needs settings"):
        make(tmp_path, objective="old")


def test_a_spec_in_json_and_a_pickle_keep_nested_keywords(tmp_path):
    kwargs = {"objective_kwargs": {"forget_norm": 0.3}, "horizon": 3}
    env = gym.make("unlearn_gym/SISS-Digits-v0", **kwargs)
    spec = gym.envs.registration.EnvSpec.from_json(env.spec.to_json())
    for again in (gym.make(spec), pickle.loads(pickle.dumps(env))):
        assert again.unwrapped.settings == env.unwrapped.settings
        assert again.unwrapped.process.objective.forget_norm == 0.3


class TowardsNoise(Objective):
    """L = L_retain + c·L_forget towards noise of its own."""

    needs_norms = True

    def __init__(self, *, c: float = 0.5) -> None:
        self.c = c

    def draw_target(self, shape, generator):
        return torch.randn(shape, generator=generator)

    def combine(self, lam, parts):
        return Combination(1.0, self.c * lam, parts.retain, self.c * lam * parts.forget)


@pytest.mark.parametrize("vectorization", ["loop", "stacked"])
def test_a_new_objective_is_its_class_and_one_line(tmp_path, monkeypatch, vectorization):
    """With a hyperparameter and a forget target of its own; alone and in many environments at once."""
    monkeypatch.setitem(DIFFUSION_OBJECTIVES, "towards noise", TowardsNoise)
    single = {
        c: shown(make(tmp_path, objective="towards noise", objective_kwargs={"c": c})) for c in (0.5, 2.0)
    }
    assert not np.allclose(single[0.5], single[2.0])
    kwargs = {**small_kwargs(DIFFUSION, tmp_path), **SHORT, "objective": "towards noise"}
    many = gym.make_vec(
        DIFFUSION, num_envs=2, vectorization=vectorization, objective_kwargs={"c": 2.0}, **kwargs
    )
    parts = [many.reset(seed=[0, 0])[0]]
    for lam in np.linspace(0.2, 0.8, 3, dtype=np.float32):
        observation, reward, *_ = many.step(np.full((2, 1), lam))
        parts += [observation, reward]
    for i in range(2):
        one = np.concatenate([np.ravel(part[i]) for part in parts])
        np.testing.assert_allclose(one, single[2.0], rtol=1e-3, atol=1e-5)
    with pytest.raises(UserError, match="has no keyword 'd'; allowed are c"):
        make(tmp_path, objective="towards noise", objective_kwargs={"d": 1.0})


@pytest.mark.parametrize("name", sorted(set(DIFFUSION_OBJECTIVES) | set(SUPERVISED_OBJECTIVES)))
def test_an_objective_that_a_process_does_not_ask_is_no_silent_other_loss(name):
    """Instances pass the registries; each works where its methods are called, or is refused in a sentence."""
    for options, registry, other in (
        (DiffusionOptions, DIFFUSION_OBJECTIVES, SUPERVISED_OBJECTIVES),
        (SupervisedOptions, SUPERVISED_OBJECTIVES, DIFFUSION_OBJECTIVES),
    ):
        if name in registry:
            options(objective=registry[name]())
        elif any(
            getattr(type(other[name]()), hook) is not getattr(Objective, hook) for hook in options.UNASKED
        ):
            with pytest.raises(UserError, match="never ask for; choose one of"):
                options(objective=other[name]())


@pytest.mark.parametrize("objective", ["npo", DPO(), "siss"])
def test_an_objective_has_its_usual_range_where_none_is_given(tmp_path, objective):
    given = {**small_kwargs("unlearn_gym/SISS-v0", tmp_path), "objective": objective}
    low, high = (0.1, 0.9) if objective == "siss" else (0.0, 0.3)
    space = gym.make("unlearn_gym/SISS-v0", **given).action_space
    assert (space.low.item(), space.high.item()) == (np.float32(low), np.float32(high))
    assert gym.make("unlearn_gym/SISS-v0", **given, lambda_range=(0.1, 0.9)).action_space.high == np.float32(
        0.9
    )
