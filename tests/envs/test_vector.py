"""Many environments at once return what single ones return."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers

from tests.envs.small import small_kwargs
from unlearn_gym.errors import UserError

USER = "unlearn_gym/SISS-v0"


def single_runs(kwargs, actions, seeds):
    """Step environments one after another, with same-step resets."""
    results = []
    for i, seed in enumerate(seeds):
        env = gym.make(USER, **kwargs)
        rows = [(env.reset(seed=seed)[0], 0.0, False)]
        for action in actions[:, i]:
            observation, reward, terminated, _, _ = env.step(action)
            if terminated:
                observation, _ = env.reset()
            rows.append((observation, reward, terminated))
        results.append(rows)
    return results


def test_processes(tmp_path):
    kwargs = small_kwargs(USER, tmp_path)
    envs = gym.make_vec(USER, num_envs=2, autoreset_mode="SameStep", **kwargs)
    try:
        actions = np.full((5, 2, 1), 0.3, dtype=np.float32)
        expected = single_runs(kwargs, actions, (1, 2))
        observations, _ = envs.reset(seed=1)
        for t in range(5):
            np.testing.assert_allclose(observations, [run[t][0] for run in expected], rtol=1e-4)
            observations, _, terminations, _, infos = envs.step(actions[t])
            if terminations.all():
                assert infos["final_obs"][0][5] == 1.0
    finally:
        envs.close()


def test_every_id_has_a_vector_entry_point():
    for spec in gym.registry.values():
        if spec.id.startswith("unlearn_gym/"):
            assert spec.vector_entry_point == f"unlearn_gym.envs.vector:{spec.entry_point.split(':')[1]}"


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"vectorization": "threads"}, "choose one of auto, processes, loop, stacked"),
        ({"autoreset_mode": "Never"}, "choose one of NextStep, SameStep, Disabled"),
        ({"num_envs": 1.5}, "num_envs=1.5"),
        ({"num_envs": 0}, "num_envs=0"),
    ],
)
def test_errors(kwargs, said):
    with pytest.raises(UserError, match=said):
        gym.make_vec("unlearn_gym/Quadratic-v0", **{"num_envs": 2, **kwargs})


@pytest.fixture(params=["loop", "stacked"])
def make(request):
    """Return a function that makes three environments of two updates each."""
    made = []

    def make(**kwargs):
        kwargs = {"horizon": 2, "batch_size": 8, "vectorization": request.param, **kwargs}
        made.append(gym.make_vec("unlearn_gym/EMSE-Polynomial-v0", num_envs=3, **kwargs))
        return made[-1]

    yield make
    for envs in made:
        envs.close()


ACTION = np.full((3, 1), 0.4, dtype=np.float32)


def test_autoreset_modes(make):
    for mode in AutoresetMode:
        envs = make(autoreset_mode=mode)
        assert envs.metadata["autoreset_mode"] is mode
        envs.reset(seed=0)
        envs.step(ACTION)
        last, _, terminations, _, infos = envs.step(ACTION)
        assert terminations.all()
        assert (last[:, 5] == (0.0 if mode is AutoresetMode.SAME_STEP else 1.0)).all()
        assert ("final_obs" in infos) == (mode is AutoresetMode.SAME_STEP)
        if mode is AutoresetMode.NEXT_STEP:
            first, rewards, terminations, _, infos = envs.step(ACTION)
            assert (first[:, 5] == 0.0).all() and not rewards.any() and not terminations.any()
            assert (infos["step"] == 0).all() and (envs.step(ACTION)[4]["step"] == 1).all()
        envs.close()


def test_the_default_suits_the_wrappers_of_gymnasium(make):
    envs = wrappers.RecordEpisodeStatistics(
        wrappers.FlattenObservation(wrappers.NormalizeObservation(make()))
    )
    envs.reset(seed=0)
    seen = [envs.step(ACTION) for _ in range(5)]
    assert all(step[0].shape == (3, 6) and np.isfinite(step[0]).all() for step in seen)
    assert seen[1][4]["episode"]["l"].tolist() == seen[4][4]["episode"]["l"].tolist() == [2, 2, 2]
    assert seen[1][4]["episode"]["r"] == pytest.approx(seen[0][1] + seen[1][1], rel=1e-5)


def test_some_are_reset_by_a_mask(make):
    check_mask(make(autoreset_mode="Disabled"))


def test_processes_know_the_modes_too(make):
    check_mask(make(autoreset_mode="Disabled", vectorization="processes"))


def check_mask(envs):
    assert envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    first, _ = envs.reset(seed=0)
    envs.step(ACTION)
    ended, *_ = envs.step(ACTION)
    mask = np.array([True, False, True])
    again, infos = envs.reset(seed=0, options={"reset_mask": mask})
    np.testing.assert_array_equal(again, np.where(mask[:, None], first, ended))
    np.testing.assert_array_equal(infos["_step"], mask)
    envs.reset(options={"reset_mask": ~mask, "restore": True})
    assert (envs.step(ACTION)[4]["step"] == 1).all()


def test_attributes_methods_and_pictures(make):
    envs = make(render_mode="rgb_array")
    envs.reset(seed=0)
    envs.step(ACTION)
    assert envs.get_attr("horizon") == (2, 2, 2)
    envs.set_attr("horizon", 7)
    envs.set_attr("alpha", [0.0, 1.0, 2.0])
    assert envs.get_attr("horizon") == (7, 7, 7) and envs.call("get_wrapper_attr", "alpha") == (0.0, 1.0, 2.0)
    assert all(picture.shape == envs.render()[0].shape for picture in envs.render())
    envs.close()
    assert envs.closed


@pytest.mark.parametrize("way", ["loop", "stacked"])
def test_pictures_are_those_of_single_environments(way):
    kwargs = {"batch_size": 8, "render_mode": "rgb_array", "draw": None, "dtype": "float64"}
    envs = gym.make_vec("unlearn_gym/EMSE-Polynomial-v0", num_envs=2, vectorization=way, **kwargs)
    envs.reset(seed=3)
    envs.step(ACTION[:2])
    for i, picture in enumerate(envs.render()):
        single = gym.make("unlearn_gym/EMSE-Polynomial-v0", **kwargs).unwrapped
        single.reset(seed=3 + i)
        single.step(ACTION[i])
        # the titles differ: gymnasium gives a name to what gymnasium.make makes
        np.testing.assert_array_equal(picture[40:], single.render()[40:])
