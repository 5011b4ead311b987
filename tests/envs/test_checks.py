"""Wrong keywords and arguments get one sentence, in every family; the list of keywords is the registry's own."""

import inspect

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator

from tests.envs.small import small_kwargs
from unlearn_gym.envs.checks import CHECKS
from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError

FAMILIES = ["Quadratic-v0", "SISS-v0", "EMSE-v0", "EMSE-Polynomial-v0"]
NAN, INF = float("nan"), float("inf")
WEIGHT = ["0.1", NAN, INF, -1.0, 1e30, 10**400, True, None, [0.1]]
POSITIVE = ["1e-3", NAN, INF, 0.0, -1.0, 10**400, True, None]
SWITCH = ["false", "no", 0, 1, None]
WORD = [3, ["siss"], None]
MAPPING = ["abc", ["a"], {1: 2}]
WRONG = {
    **dict.fromkeys(("online", "grad_norms", "augment"), SWITCH),
    **dict.fromkeys(("alpha", "divergence_penalty", "noise"), WEIGHT),
    **dict.fromkeys(("learning_rate", "best_lambda"), POSITIVE),
    **dict.fromkeys(("optimizer", "state", "curves", "gradients"), WORD),
    **dict.fromkeys(
        ("task_kwargs", "curves_kwargs", "objective_kwargs", "reward_kwargs", "defaults"), MAPPING
    ),
    "task": [3, ["digits"]],
    "render_mode": [3, ["ansi"], "human", "video"],
    "observation": [3, ["state"], "six", None],
    "action": [3, ["lambda"], "logs", None],
    "control": [
        "lambda",
        ["learning_rate"],
        ["lambda", "lambda"],
        [["lambda"]],
        ("lambda", 1),
        {"lambda"},
        3,
        None,
    ],
    "mask": [3, ["saliency:0.5"], "saliency", "saliency:0", "half"],
    "start": [
        3,
        ["ssd:10:1"],
        "",
        "ssd:",
        "ssd:0",
        "ssd:-1:1",
        "ssd:nan",
        "ssd:1:2:3",
        "ssd:ten",
        "scrub:10",
    ],
    "horizon": [2.5, 0, -1, True, "10", NAN, None],
    "batch_size": [2.5, 3, 0, True, "64", None],
    "num_classes": [2.5, -1, "3", True],
    "max_grad_norm": ["1", NAN, 0.0, -1.0, None],
    "lambda_range": [
        "0.1 0.9",
        "ab",
        0.5,
        (0.5,),
        (0.1, 0.5, 0.9),
        (0, INF),
        (NAN, 1),
        (0, 1e30),
        (0.5, 0.5),
    ],
    "draw": [-1, 0.5, "0", True],
}


WRONG["lambda_range"] += [(0.9, 0.1), (-0.1, 0.5), ("0", "1"), (False, True), (0.5, 0.5 + 1e-12), None]


@pytest.mark.parametrize("family", FAMILIES)
def test_wrong_keywords_get_one_sentence(family, tmp_path):
    env_id = f"unlearn_gym/{family}"
    right = small_kwargs(env_id, tmp_path)
    creator = load_env_creator(gym.spec(env_id).entry_point)
    known = [name for name in inspect.signature(creator).parameters if name in CHECKS]
    assert {"horizon", "lambda_range", "alpha", "online"} <= set(known)
    for name in known:
        for value in WRONG[name]:
            with pytest.raises(UserError, match=name) as caught:
                make_env(env_id, {**right, name: value})
            assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


SIGMA = [*POSITIVE, 10**30, 1e200, 1e-200]
NESTED = [
    ("SISS-v0", "objective", "siss", {"forget_norm": WEIGHT, "superfactor": WEIGHT}),
    ("SISS-v0", "objective", "siss", {"forget_scaling": WORD, "dataset_factors": WORD, "x_from": WORD}),
    ("SISS-v0", "objective", "weighted", {"forget_cap": POSITIVE}),
    ("SISS-v0", "objective", "erasediff", {"eta": WEIGHT}),
    ("EMSE-v0", "objective", "likelihood", {"sigma": SIGMA, "strength": ["0.5", NAN, 0.0, 1.0, None]}),
    ("EMSE-v0", "reward", "progress", {"forget_cap": [*POSITIVE, "auto"], "retain_weight": WEIGHT}),
    ("EMSE-Polynomial-v0", "reward", "balance", {"forget_cap": POSITIVE, "retain_weight": WEIGHT}),
]


@pytest.mark.parametrize(("family", "kind", "chosen", "wrong"), NESTED)
def test_wrong_hyperparameters_get_one_sentence_in_either_form(family, kind, chosen, wrong, tmp_path):
    env_id = f"unlearn_gym/{family}"
    right = {**small_kwargs(env_id, tmp_path), kind: chosen}
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(UserError, match=name):
                make_env(env_id, {**right, f"{kind}_kwargs": {name: value}})
            with pytest.raises(UserError, match=name):
                make_env(env_id, {**right, {"eta": "erasediff_eta"}.get(name, name): value})


@pytest.mark.parametrize("kind", ["objective", "reward"])
@pytest.mark.parametrize("value", [3, ["siss"], None, object, object(), {}])
def test_what_is_neither_a_name_nor_an_instance(kind, value, tmp_path):
    with pytest.raises(UserError, match=f"^{kind}="):
        make_env("unlearn_gym/SISS-v0", {**small_kwargs("unlearn_gym/SISS-v0", tmp_path), kind: value})


def test_every_check_has_its_wrong_values():
    assert set(WRONG) == set(CHECKS)


def test_numbers_of_numpy_and_lists_are_fine():
    kwargs = {"horizon": np.int64(5), "alpha": np.float32(0.1), "lambda_range": [0, np.float64(1)]}
    env = gym.make("unlearn_gym/Quadratic-v0", online=np.bool_(True), **kwargs).unwrapped
    assert (env.horizon, env.online) == (5, True) and type(env.horizon) is int


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seed": -1}, "seed=-1"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"seed": "7"}, "seed='7'"),
        ({"options": {"restore": "no"}}, "restore='no'"),
        ({"options": {"restart": True}}, "no keyword 'restart'"),
        ({"options": "restore"}, "options='restore'"),
    ],
)
def test_wrong_arguments_of_reset(arguments, said):
    env = gym.make("unlearn_gym/Quadratic-v0").unwrapped
    with pytest.raises(UserError, match=said):
        env.reset(**arguments)


def test_seeds_of_any_size_and_of_numpy():
    env = gym.make("unlearn_gym/Quadratic-v0").unwrapped
    for seed in (2**32, 2**100, np.int64(3)):
        assert env.reset(seed=seed)[0].shape == (6,)
    assert env.np_random_seed == 3


@pytest.mark.parametrize("action", ["abc", None, {}, [[0.1], [0.2]], np.ones((2, 1))])
def test_wrong_actions(action):
    env = gym.make("unlearn_gym/Quadratic-v0").unwrapped
    env.reset(seed=0)
    with pytest.raises(UserError, match="not one finite") as raised:
        env.step(action)
    assert "\n" not in str(raised.value)
