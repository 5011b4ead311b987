"""The examples for other libraries run, small; the slow tests hold them to what their first lines promise."""

import re

import pytest
import torch
from PIL import Image

from examples.libraries.cleanrl_ppo import advantages


def numbers(text, pattern):
    return [float(number) for number in re.findall(pattern, text)]


def test_stable_baselines_saves_a_model_with_its_statistics(play, tmp_path):
    said = play("libraries/sb3_vecnormalize.py", "--steps", 200, "--output", "sb3")
    assert {"best_model.zip", "vecnormalize.pkl"} <= {path.name for path in (tmp_path / "sb3").iterdir()}
    assert numbers(said, r"λ = 0\.7 +\S+ +(\S+)") == [0.7] and len(numbers(said, r"PPO +(\S+)")) == 1


def test_ppo_in_one_file_plays_and_learns_from_whole_episodes(play):
    said = play("libraries/cleanrl_ppo.py", "--steps", 160, "--rollout", 20, "--epochs", 1)
    assert len(numbers(said, r"return +(\S+)")) == 2
    assert all(0.1 <= lam <= 0.9 for lam in numbers(said, r"last λ (\S+)"))


def test_its_advantages_are_the_sums_of_their_definition():
    generator = torch.Generator().manual_seed(0)
    rewards, values = (torch.randn((6, 2), generator=generator) for _ in range(2))
    dones = torch.tensor([[0, 0], [1, 0], [0, 0], [0, 1], [0, 0], [0, 1]]).float()
    last, gamma, gae = torch.tensor([0.7, -0.3]), 0.9, 0.8
    found = advantages(rewards, values, dones, last, gamma, gae)
    after = torch.cat([values[1:], last[None]])
    for env in range(2):
        for t in range(6):
            expected, weight = 0.0, 1.0
            for k in range(t, 6):
                goes_on = 1 - dones[k, env]
                expected += weight * (rewards[k, env] + gamma * goes_on * after[k, env] - values[k, env])
                weight *= gamma * gae * goes_on
            assert found[t, env].item() == pytest.approx(float(expected), abs=1e-6)


def test_torchrl_plays_and_learns(play):
    pytest.importorskip("torchrl", reason="needs the extra torchrl")
    said = play("libraries/torchrl_ppo.py", "--steps", 100, "--batch", 50, "--epochs", 1)
    assert len(numbers(said, r"return +(\S+)")) == 2
    assert all(0.1 <= lam <= 0.9 for lam in numbers(said, r"last λ (\S+)"))


def test_the_search_tries_the_default_and_judges_on_other_seeds(play):
    said = play("libraries/optuna_search.py", "--trials", 3, "--updates", 4, "--judging-seeds", 1)
    tried, judged = said.split("On 1 other seeds:")
    lambdas = numbers(tried, r"(?m)^(\d\S+)")
    assert len(lambdas) == 3 and 0.5 in lambdas and lambdas == sorted(lambdas)
    assert len(numbers(judged, r"return (\S+)")) == 2
    assert numbers(judged, r"λ = (\S+):")[0] in lambdas


def test_a_film_has_a_picture_for_the_start_and_each_update(play, tmp_path):
    quick = ("--env", "unlearn_gym/Quadratic-v0", "--updates", 3)
    said = play("libraries/record_video.py", *quick, "--output", "run.gif")
    with Image.open(tmp_path / "run.gif") as film:
        assert film.n_frames == 4 and "run.gif: " in said


def test_recordvideo_writes_one_file(play, tmp_path):
    pytest.importorskip("moviepy", reason="RecordVideo needs it")
    quick = ("--env", "unlearn_gym/Quadratic-v0", "--updates", 3)
    assert "mp4: " in play("libraries/record_video.py", *quick, "--output", "videos")
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 1


@pytest.mark.slow
def test_stable_baselines_beats_a_bad_constant(play):
    said = play("libraries/sb3_vecnormalize.py")
    (learned,), (bad,) = (numbers(said, rf"{name} +(\S+) ") for name in ("PPO", r"λ = 0\.3"))
    assert learned > bad + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cleanrl_ppo", "torchrl_ppo"])
def test_ppo_comes_near_the_best_lambda(name, play):
    if name == "torchrl_ppo":
        pytest.importorskip("torchrl", reason="needs the extra torchrl")
    said = play(f"libraries/{name}.py")
    returns, lambdas = numbers(said, r"return +(\S+)"), numbers(said, r"last λ (\S+)")
    assert sum(lambdas[-5:]) / 5 == pytest.approx(0.7, abs=0.1)
    assert returns[-1] > returns[0] + 0.02
