"""The diffusion environments: what is saved, what a user brings, and what the defaults achieve."""

import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, UNet2DModel
from PIL import Image

from tests.envs.small import SHORT, user_model
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import EvaluatorSettings
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.objectives.siss import SISS


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


def test_a_dampened_start_is_told_and_the_row_before_is_the_original(tmp_path, monkeypatch):
    monkeypatch.setattr("unlearn_gym.processes.diffusion.IMPORTANCE_EXAMPLES", 8)
    plain, env = own(tmp_path), own(tmp_path, start="ssd:1:0.1")
    infos = [each.reset(seed=0)[1] for each in (plain, env)]
    assert 0 < infos[1]["dampened"] < 1 and set(infos[1]) - set(infos[0]) == {"dampened"}
    assert env.step([0.5])[-1]["dampened"] == infos[1]["dampened"]
    env.reset()
    before, start = make_evaluator(env, EvaluatorSettings()).before(), env.process.model
    for original, found, dampened in zip(
        plain.process.model.parameters(), before.parameters(), start.parameters(), strict=True
    ):
        assert torch.equal(original, found) and (dampened.abs() <= original.abs()).all()
    assert not all(map(torch.equal, before.parameters(), start.parameters()))
    again = pickle.loads(pickle.dumps(env))
    assert again.reset(seed=0)[1]["dampened"] == infos[1]["dampened"]


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
        ({"objective_kwargs": {"forget_scaling": "both"}}, "norm or coef"),
        ({"objective_kwargs": {"dataset_factors": "some"}}, "exact"),
        ({"objective_kwargs": {"x_from": "forget"}}, "retain or all"),
        ({"objective_kwargs": {"eta": 1.0}}, "objective_kwargs of 'siss' has no keyword 'eta'"),
        ({"objective_kwargs": {"forget_norm": "auto"}}, "forget_norm='auto'"),
        ({"objective": SISS(), "objective_kwargs": {"forget_norm": 0.2}}, "beside an instance of SISS"),
        ({"reward_kwargs": {"forget_cap": 1.0}}, "reward_kwargs of 'loss' has no keyword 'forget_cap'"),
        ({"defaults": {"forgetcap": 1.0}}, "no keyword 'forgetcap'; allowed are forget_cap, "),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"device": "meta"}, "meta"),
        ({"device": "gpu"}, "gpu"),
        ({"device": 1.5}, "1.5"),
        ({"dtype": "float16"}, "float32, float64"),
        ({"dtype": ["float32"]}, "float32, float64"),
        ({"dtype": torch.int8}, "float32, float64"),
        ({"dtype": "bfloat16"}, "round most updates away"),
        ({"dtype": torch.bfloat16}, "round most updates away"),
        ({"task": "digits"}, "leave retain_data=, forget_data= out"),
        ({"task_kwargs": {"boots": 3}}, "give task= too"),
        ({"scheduler": default_scheduler()}, "leave scheduler= out"),
        ({"learning_rate": "auto", "optimizer": "sgd"}, "not offered for optimizer='sgd'"),
        ({"dtype": "int8"}, "float32"),
        ({"horizon": 0}, "at least 1"),
        ({"alpha": -1.0}, "alpha"),
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


def objects(tmp_path):
    unet = UNet2DModel.from_pretrained(user_model(tmp_path), subfolder="unet")
    scheduler = DDIMScheduler(num_train_timesteps=40)
    pipeline = DDIMPipeline(unet, scheduler)
    return {
        "pipeline": {"model": pipeline},
        "pair": {"model": (unet, scheduler)},
        "network": {"model": unet, "scheduler": scheduler},
        "DiffusionModel": {"model": DiffusionModel.of(pipeline)},
    }


@pytest.mark.parametrize("kind", ["pipeline", "pair", "network", "DiffusionModel"])
def test_models_in_memory_are_copied_pickled_and_saved_with_their_scheduler(kind, tmp_path):
    given = objects(tmp_path)[kind]
    unet = getattr(given["model"], "unet", given["model"])
    unet = unet[0] if isinstance(unet, tuple) else unet
    before = [weight.clone() for weight in unet.state_dict().values()]
    env = own(tmp_path, **given)
    env.reset(seed=0)
    observation = env.step([0.5])[0]
    assert all(torch.equal(a, b) for a, b in zip(before, unet.state_dict().values(), strict=True))
    torch.nn.init.zeros_(
        unet.conv_in.weight
    )  # what becomes of the user's object does not reach the environment
    again = pickle.loads(pickle.dumps(env))
    again.reset(seed=0)
    assert np.array_equal(again.step([0.5])[0], observation)
    env.save_pretrained(tmp_path / "unlearned")
    saved = DDIMPipeline.from_pretrained(tmp_path / "unlearned")
    assert type(saved.scheduler) is DDIMScheduler and saved.scheduler.config["num_train_timesteps"] == 40
    assert (
        json.loads((tmp_path / "unlearned" / "model_index.json").read_text())["_class_name"] == "DDIMPipeline"
    )


def test_images_need_not_be_square(tmp_path):
    with seeded_weights(0):
        unet = UNet2DModel(**{**build_unet(8, 1, 0, (8, 8), norm_groups=4).config, "sample_size": (8, 16)})
    images = np.random.default_rng(0).uniform(-1, 1, (6, 1, 8, 16)).astype(np.float32)
    env = own(
        tmp_path,
        model=(unet, default_scheduler()),
        retain_data=images,
        forget_data=images,
        render_mode="rgb_array",
    )
    env.reset(seed=0)
    env.step([0.5])
    assert env.render().shape[2] == 3 and env.process.data.retain.inputs.shape[2:] == (8, 16)


AUTO = {
    "objective": "weighted",
    "objective_kwargs": {"forget_cap": "auto"},
    "reward": "progress",
    "reward_kwargs": {"forget_cap": "auto", "retain_weight": "auto"},
    "learning_rate": "auto",
}


def test_auto_is_chosen_from_the_losses_at_the_start_and_repeats(tmp_path):
    state = torch.get_rng_state()
    env, again = own(tmp_path, **AUTO), own(tmp_path, **AUTO)
    assert env.settings == again.settings and torch.equal(torch.get_rng_state(), state)
    chosen = [env.settings.learning_rate, *env.settings.reward_kwargs.values()]
    assert all(np.isfinite(value) and value > 0 for value in chosen)
    cap = env.settings.reward_kwargs["forget_cap"]
    assert env.process.objective.forget_cap == env.settings.objective_kwargs["forget_cap"] == cap
    original = DiffusionModel.load(user_model(tmp_path)).unet.state_dict()
    assert all(torch.equal(weight, original[name]) for name, weight in env.process.model.state_dict().items())
    assert env.process._optimizer.param_groups[0]["lr"] == env.settings.learning_rate
    some = own(tmp_path, reward="progress", reward_kwargs={"forget_cap": "auto"})
    assert (some._reward.retain_weight, some.settings.learning_rate) == (50.0, 2e-4)
    assert some.settings.reward_kwargs == {"forget_cap": cap}


def test_auto_scales_with_the_network(tmp_path):
    """A network that predicts 0 has the loss 1, the noise's own variance."""
    with seeded_weights(0):
        unet = build_unet(8, 1, 0, (8, 8), norm_groups=4)
    torch.nn.init.zeros_(unet.conv_out.weight)
    torch.nn.init.zeros_(unet.conv_out.bias)
    zero = own(tmp_path, model=(unet, default_scheduler()), **AUTO).settings
    assert zero.reward_kwargs["forget_cap"] == pytest.approx(2.25, rel=0.05)
    assert zero.reward_kwargs["retain_weight"] == pytest.approx(4, rel=0.05)


def test_auto_gives_about_the_registered_values_on_digits():
    settings = gym.make("unlearn_gym/Weighted-Digits-v0", **AUTO).unwrapped.settings
    assert settings.reward_kwargs["forget_cap"] == pytest.approx(0.15, rel=0.25)
    assert settings.reward_kwargs["retain_weight"] == pytest.approx(50, rel=0.25)
    assert 1e-4 < settings.learning_rate < 3e-4


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ["unlearn_gym/SISS-Digits-v0", "unlearn_gym/Weighted-Digits-v0"])
def test_the_defaults_forget_the_boots_and_keep_the_digits(env_id):
    env = gym.make(env_id, state="lagged").unwrapped
    lam = {"unlearn_gym/SISS-Digits-v0": 0.5, "unlearn_gym/Weighted-Digits-v0": 0.1}[env_id]
    evaluator = make_evaluator(env, EvaluatorSettings())
    before = evaluator.score(env.process.model, seed=0).values
    env.reset(seed=0)
    while not env.step([lam])[2]:
        pass
    after = evaluator.score(env.process.model, seed=0).values
    assert 0.3 < before["concept_rate"] < 0.45
    assert after["concept_rate"] <= 0.05
    assert after["label_accuracy"] >= 0.75
    assert after["class_accuracy"] >= 0.93


def test_time_and_sampler_are_options(tmp_path):
    envs = [own(tmp_path), own(tmp_path, time="continuous"), own(tmp_path, sampler="heun")]
    assert [env.process.sampler for env in envs] == ["ddim", "heun", "heun"]
    noise = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    ddim, *heun = (env.sample(None, noise, 7) for env in envs)
    assert torch.equal(*heun) and not torch.allclose(ddim, heun[0], atol=0.01)
    said = [make_evaluator(env, EvaluatorSettings()).notes()[-1] for env in envs]
    assert "without a model retrained" in said[0] and all("by heun" in note for note in said[1:])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"time": "backwards"}, "time='backwards' is not known"),
        ({"time_weight": "likelihood"}, "not offered for time='discrete'; choose simple"),
        ({"time": "continuous", "time_weight": "snr"}, "time_weight='snr' is not known"),
        ({"sampler": "leap"}, "sampler='leap' is not known"),
    ],
)
def test_other_times_and_samplers_get_one_sentence(tmp_path, options, sentence):
    with pytest.raises(UserError, match=sentence):
        own(tmp_path, **options)


def test_a_cosine_schedule_is_no_sde(tmp_path):
    network = DiffusionModel.of(user_model(tmp_path)).unet
    cosine = DDIMScheduler(beta_schedule="squaredcos_cap_v2")
    with pytest.raises(UserError, match="from those of a VP-SDE"):
        own(tmp_path, model=network, scheduler=cosine, time="continuous")
