"""The diffusion environments: what is saved, what a user brings, and what the defaults achieve."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, UNet2DModel
from PIL import Image

from tests.envs.small import SHORT, user_model
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import JudgeSettings
from unlearn_gym.evaluation.judges import make_judge


def own(tmp_path, **kwargs):
    images = np.random.default_rng(0).uniform(-1, 1, (16, 1, 8, 8)).astype(np.float32)
    given = {
        "model": user_model(tmp_path),
        "retain_data": images,
        "forget_data": images[:5],
        **SHORT,
        **kwargs,
    }
    return gym.make("unlearn_gym/SISS-v0", **given).unwrapped


def test_the_unlearned_model_is_a_diffusers_pipeline(tmp_path):
    env = own(tmp_path)
    env.reset(seed=0)
    env.step([0.5])
    env.save_pretrained(tmp_path / "unlearned")
    network = UNet2DModel.from_pretrained(tmp_path / "unlearned", subfolder="unet")
    for name, weight in env.process.model.state_dict().items():
        assert torch.equal(weight, network.state_dict()[name])
    images = DDPMPipeline.from_pretrained(tmp_path / "unlearned")(
        num_inference_steps=2, output_type="np"
    ).images
    assert images.shape == (1, 8, 8, 1)


def test_a_folder_of_images_is_enough(tmp_path):
    folder = tmp_path / "forget"
    folder.mkdir()
    for number in range(3):
        Image.new("L", (8, 8), 80 * number).save(folder / f"{number}.png")
    env = own(tmp_path, forget_data=str(folder))
    assert len(env.process.data.forget) == 3
    env.reset(seed=0)
    assert np.isfinite(env.step([0.9])[0]).all()


@pytest.mark.parametrize(
    ("kwargs", "named"),
    [
        ({"model": None}, "model="),
        ({"model": "nowhere"}, "nowhere"),
        ({"forget_data": "nowhere"}, "nowhere"),
        ({"objective": "sis"}, "siss"),
        ({"reward": "los"}, "progress"),
        ({"optimizer": "adm"}, "adamw"),
        ({"lambda_range": (0.5, 1.5)}, r"\[0, 1\]"),
        ({"lambda_range": (0.9, 0.1)}, "low < high"),
        ({"state": "stale"}, "lagged"),
        ({"batch_size": 7}, "even"),
        ({"forget_scaling": "both"}, "norm or coef"),
        ({"dataset_factors": "some"}, "exact"),
        ({"x_from": "forget"}, "retain or all"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"dtype": "int8"}, "float32"),
        ({"horizon": 0}, "at least 1"),
        ({"alpha": -1.0}, "alpha"),
        ({"objective": "erasediff", "erasediff_eta": -1.0}, "erasediff_eta"),
        ({"retain_weight": float("nan")}, "retain_weight"),
        ({"learning_rate": 0.0}, "above 0"),
    ],
)
def test_bad_input_is_one_sentence_that_names_it(tmp_path, kwargs, named):
    with pytest.raises(UserError, match=named) as raised:
        own(tmp_path, **kwargs)
    assert "\n" not in str(raised.value)


def test_minibatches_do_not_depend_on_the_actions(tmp_path):
    seen = []
    for lam in (0.1, 0.9):
        env = own(tmp_path, horizon=10)
        env.reset(seed=0)
        for _ in range(5):
            env.step([lam])
        seen.append(env.process.state_dict()["raw"])
    assert all(torch.equal(seen[0][name], seen[1][name]) for name in seen[0])


def test_lagged_state_is_unknown_at_first_and_fresh_state_is_not(tmp_path):
    assert (own(tmp_path, state="lagged").reset(seed=0)[0][:4] == 0).all()
    assert (own(tmp_path, state="fresh").reset(seed=0)[0][:4] > 0).all()
    silent = own(tmp_path, grad_norms=False).reset(seed=0)[0]
    assert (silent[:2] > 0).all() and (silent[2:4] == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ["unlearn_gym/SISS-Digits-v0", "unlearn_gym/Weighted-Digits-v0"])
def test_the_defaults_forget_the_boots_and_keep_the_digits(env_id):
    env = gym.make(env_id, state="lagged").unwrapped
    lam = {"unlearn_gym/SISS-Digits-v0": 0.5, "unlearn_gym/Weighted-Digits-v0": 0.1}[env_id]
    judge = make_judge(env, JudgeSettings())
    before = judge.score(env.process.model, seed=0).values
    env.reset(seed=0)
    while not env.step([lam])[2]:
        pass
    after = judge.score(env.process.model, seed=0).values
    assert 0.3 < before["concept_rate"] < 0.45
    assert after["concept_rate"] <= 0.05
    assert after["label_accuracy"] >= 0.75
    assert after["class_accuracy"] >= 0.93
