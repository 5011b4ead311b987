"""``gradients="direct"`` asks an environment for the reference; the numbers are those of the fast ways."""

import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym.errors import UserError


@pytest.mark.parametrize("name", ["SISS-Digits-v0", "EMSE-Digits-v0", "EMSE-Polynomial-v0"])
def test_direct_gives_the_same_states(name):
    states = []
    for gradients in ("auto", "direct"):
        env = gym.make(f"unlearn_gym/{name}", gradients=gradients, batch_size=8).unwrapped
        assert env.process.gradients == gradients
        env.reset(seed=0)
        states.append(np.stack([env.step(np.array([0.5], np.float32))[0] for _ in range(3)]))
    np.testing.assert_allclose(*states, rtol=1e-4, atol=1e-6)


def test_other_names_are_refused():
    with pytest.raises(UserError, match="choose auto or direct"):
        gym.make("unlearn_gym/EMSE-Polynomial-v0", gradients="fast")
