"""The ``augment`` keyword of the classifier environments."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

import unlearn_gym  # noqa: F401
from unlearn_gym.errors import UserError

SMALL = {"task_kwargs": {"fraction": 0.3, "pretrain_epochs": 1}, "horizon": 4, "batch_size": 16}


def run(env, seed, steps=4):
    observations = [env.reset(seed=seed)[0]]
    observations += [env.step(np.array([0.3], np.float32))[0] for _ in range(steps)]
    return np.stack(observations)


def test_augmented_minibatches_repeat_with_the_seed_and_differ_from_plain_ones():
    augmented, plain = (gym.make("unlearn_gym/EMSE-Digits-v0", augment=a, **SMALL) for a in (True, False))
    first, again, other = run(augmented, 1), run(augmented, 1), run(plain, 1)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    weights = [p.detach().clone() for p in augmented.unwrapped.process.model.parameters()]
    assert all(bool(w.isfinite().all()) for w in weights)


def test_an_augmented_minibatch_survives_a_kill():
    env = gym.make("unlearn_gym/EMSE-Digits-v0", augment=True, **SMALL).unwrapped
    run(env, 2, steps=2)
    state = env.state_dict()
    rest = [env.step(np.array([0.3], np.float32))[0] for _ in range(2)]
    resumed = gym.make("unlearn_gym/EMSE-Digits-v0", augment=True, **SMALL).unwrapped
    resumed.reset(seed=5)
    resumed.load_state_dict(state)
    assert np.array_equal(rest, [resumed.step(np.array([0.3], np.float32))[0] for _ in range(2)])


def test_your_own_data_cannot_be_augmented():
    pair = (torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(UserError, match="augment"):
        gym.make(
            "unlearn_gym/EMSE-v0",
            model=nn.Flatten(),
            retain_data=pair,
            forget_data=pair,
            num_classes=64,
            augment=True,
        )
