"""Curves of an episode: they are goes-on-able, leave pyplot alone, and survive whatever numbers come."""

import sys

import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym.envs.rendering.curves import Curves, beside
from unlearn_gym.processes.base import Signals

ID = "unlearn_gym/Quadratic-v0"


@pytest.mark.parametrize(
    "signals", [(0.0,) * 4, (1e-12, 1e6, 1e3, 0.0), (0.1, 0.1, 0.1, 0.1), (5e-324, 1e-300, 1e30, 1.0)]
)
def test_any_numbers_can_be_drawn(signals):
    curves = Curves(10, (0.0, 1.0))
    empty = curves.draw("nothing yet")
    curves.start(Signals(*signals))
    curves.add(1, 0.4, Signals(*signals), diverged=False)
    good = curves.draw("two points")
    curves.add(2, 0.4, Signals(*signals), diverged=True)
    bad = curves.draw("two points")
    assert empty.shape == good.shape == bad.shape == (480, 640, 3)
    assert (empty != good).any() and (bad != good).any()


def test_a_saved_environment_goes_on_drawing():
    first, second = (gym.make(ID, render_mode="rgb_array").unwrapped for _ in "ab")
    first.reset(seed=0)
    second.reset(seed=1)
    first.step([0.3])
    second.load_state_dict(first.state_dict())
    for env in (first, second):
        env.step([0.6])
    np.testing.assert_array_equal(first.render(), second.render())
    second.reset(seed=5)
    assert len(second.state_dict()["curves"]) == 1


def test_pyplot_has_no_part_in_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    env = gym.make(ID, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape == (480, 640, 3)


def test_an_image_stands_beside_the_curves():
    image = np.zeros((9, 21, 3), np.uint8)
    both = beside(image, np.full((480, 640, 3), 255, np.uint8))
    assert both.shape == (480, 10 + 21 * 22 + 640, 3)  # the small image is enlarged by a whole factor
    assert (both == 0).all(axis=2).sum() == 9 * 21 * 22**2
    assert beside(np.zeros((801, 501, 3), np.uint8), both).shape[0] == 822
