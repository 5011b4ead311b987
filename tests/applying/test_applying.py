"""``unlearn_gym.apply``, and its parts where the command line does not reach them."""

import shutil

import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file

import unlearn_gym
from tests.applying.small import few, write_images
from unlearn_gym.applying.cases.base import Alarm, Losses
from unlearn_gym.applying.cases.diffusion import DiffusionCase
from unlearn_gym.applying.running import Policy, Trail
from unlearn_gym.applying.settings import Settings, Sources
from unlearn_gym.applying.watch import Watch
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError
from unlearn_gym.models.supervised.tasks import get_supervised_task

QUICK = {"steps": 3, "samples": 2, "sampling_steps": 2, "learning_rate": 1e-4}


def arrays(part):
    return part.inputs.numpy(), part.labels.numpy()


def test_objects_are_taken_and_stay_as_they_are(made, digits_task, tmp_path):
    pipeline = DDPMPipeline.from_pretrained(made / "conditional")
    weights = [weight.clone() for weight in pipeline.unet.parameters()]
    data = digits_task.data
    sides = arrays(few(data.retain, 40)), arrays(few(data.forget, 6))
    applied = unlearn_gym.apply(pipeline, *sides, tmp_path / "out", **QUICK)
    assert all(torch.equal(a, b) for a, b in zip(weights, pipeline.unet.parameters(), strict=True))
    assert applied.model == tmp_path / "out" / "model" and applied.report.is_file() and applied.log.is_file()
    assert applied.numbers["forget_loss"]["examples"] == 6 and applied.results["kind"] == "diffusion"
    assert "unlearn_gym.apply(model=<DDPMPipeline>, retain=" in (tmp_path / "out" / "report.md").read_text()


def test_a_module_finds_its_own_learning_rate(made, digits_task, tmp_path):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    network.load_state_dict(load_file(made / "net.safetensors"))
    sides = arrays(few(digits_task.data.retain, 60)), arrays(few(digits_task.data.forget, 6))
    applied = unlearn_gym.apply(network, *sides, tmp_path / "out", image_shape=(1, 8, 8), steps=3)
    assert applied.results["learning_rate"] in (1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
    assert applied.model.name == "model.safetensors"


@pytest.mark.parametrize("schedule", ["squaredcos_cap_v2", "linear"])
def test_another_noise_schedule_is_another_network(schedule, made, digits_task):
    pipeline = DDPMPipeline.from_pretrained(made / "conditional")
    sides = arrays(few(digits_task.data.retain, 40)), arrays(few(digits_task.data.forget, 6))
    given, other = (
        DiffusionCase(Sources(each, *sides), Settings(samples=0)).identity()
        for each in (pipeline, (pipeline.unet, DDPMScheduler(1000, beta_schedule=schedule, beta_end=0.015)))
    )
    assert given["network"] != other["network"] and given["model"] == other["model"]


def test_a_checkpoint_is_the_same_model_wherever_it_lies(made, digits_task, tmp_path):
    shutil.copytree(made / "conditional", tmp_path / "copied")
    sides = arrays(few(digits_task.data.retain, 40)), arrays(few(digits_task.data.forget, 6))
    here, there = (
        DiffusionCase(Sources(str(place), *sides), Settings(samples=0)).identity()
        for place in (made / "conditional", tmp_path / "copied")
    )
    assert here == there


def test_a_model_that_is_lost_on_the_images_is_refused(made, digits_task, tmp_path):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    torch.nn.init.zeros_(network[1].weight)
    sides = arrays(few(digits_task.data.retain, 60)), arrays(few(digits_task.data.forget, 6))
    with pytest.raises(UserError, match="no more than one that always says the most frequent label"):
        unlearn_gym.apply(network, *sides, tmp_path / "out", image_shape=(1, 8, 8))
    with pytest.raises(UserError, match="image_shape is not known"):
        unlearn_gym.apply(network, *sides, tmp_path / "out")
    with pytest.raises(UserError, match="apply: 'step' is not known"):
        unlearn_gym.apply(network, *sides, tmp_path / "out", step=3)


def test_a_run_that_diverges_writes_nothing(made, tmp_path):
    where = [made / name for name in ("plain", "keep", "forget")]
    with pytest.raises(UserError, match=r"Update \d left numbers that are not finite"):
        unlearn_gym.apply(*where, tmp_path / "out", **QUICK | {"learning_rate": 1e30, "steps": 9})
    assert list(tmp_path.iterdir()) == []


def test_the_watch_warns_of_each_thing_once():
    watch = Watch("loss", Alarm(rise=1.1, slack=0.0, least=1.05), steps=40)
    assert [step for step in range(41) if watch.due(step)] == list(range(0, 41, 2))
    both = [(1.0, 1.0), (1.05, 1.0), (1.05, 1.0), (1.2, 1.0), (1.2, 1.0)]
    said = [
        watch.look(step, Losses(torch.tensor([kept]), torch.tensor([gone])))
        for step, (kept, gone) in zip((0, 2, 10, 12, 14), both, strict=True)
    ]
    assert [len(each) for each in said] == [0, 0, 1, 1, 0]
    assert "hardly anything is forgotten yet" in said[2][0] and "After 10 of 40 updates" in said[2][0]
    assert "what is to be kept suffers" in said[3][0] and "1.2 (1 at the start)" in said[3][0]
    again = Watch("loss", watch.alarm, 40)
    again.load_state_dict(watch.state_dict())
    assert again == watch


class Moody:
    """A policy that never chooses the same twice."""

    def __init__(self):
        self.calls = 0

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.calls += 1
        return np.array([self.calls / 100]), state


def test_a_policy_that_chooses_otherwise_cannot_go_on(tmp_path):
    policy, seen = Policy(Moody(), 0), np.zeros(6, np.float32)
    trail = Trail([seen, seen], [policy.choose(seen)], [0.0], [{}])
    Policy(Moody(), 0).replay(trail, tmp_path)
    with pytest.raises(UserError, match="chooses otherwise than it did before"):
        policy.replay(trail, tmp_path)


def squares(count, colour, seed):
    """Coloured squares on a dark ground, (count, 3, 32, 32)."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.full((count, 3, 32, 32), -0.8)
    for image in images:
        top, left = torch.randint(4, 16, (2,), generator=generator).tolist()
        image[colour, top : top + 12, left : left + 12] = 0.8
    return images


@pytest.mark.slow
@pytest.mark.parametrize("classes", [None, 2])
def test_a_checkpoint_of_the_public_training_example(classes, tmp_path):
    """Attention, a cosine schedule and RGB, saved as the unconditional training example of diffusers saves it."""
    keep, forget = squares(60, 0, 1), squares(12, 2, 2)
    images = torch.cat([keep, forget])
    labels = torch.tensor([0] * 60 + [1] * 12)
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=32,
        in_channels=3,
        out_channels=3,
        num_class_embeds=classes,
        layers_per_block=1,
        block_out_channels=(32, 32),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    scheduler = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    optimizer = torch.optim.AdamW(unet.parameters(), lr=2e-3)
    for _ in range(60):
        rows, steps = torch.randint(len(images), (8,)), torch.randint(1000, (8,))
        noise = torch.randn_like(images[rows])
        named = {} if classes is None else {"class_labels": labels[rows]}
        predicted = unet(scheduler.add_noise(images[rows], noise, steps), steps, **named).sample
        optimizer.zero_grad()
        (predicted - noise).square().mean().backward()
        optimizer.step()
    DDPMPipeline(unet=unet, scheduler=scheduler).save_pretrained(tmp_path / "checkpoint")
    write_images(LabelledSet(keep, labels[:60]), tmp_path / "keep")
    write_images(LabelledSet(forget, labels[60:] if classes else labels[:12]), tmp_path / "forget")
    if classes:
        (tmp_path / "keep" / "1").mkdir()
    where = [tmp_path / name for name in ("checkpoint", "keep", "forget")]
    applied = unlearn_gym.apply(
        *where, tmp_path / "out", steps=20, samples=4, sampling_steps=4, env_kwargs={"batch_size": 8}
    )
    losses = applied.numbers
    assert losses["forget_loss"]["after"] > losses["forget_loss"]["before"]
    pipeline = DDPMPipeline.from_pretrained(applied.model)
    assert pipeline.unet.config.num_class_embeds == classes
    assert pipeline.scheduler.config.beta_schedule == "squaredcos_cap_v2"


@pytest.mark.slow
def test_the_defaults_forget_a_class(digits_task, tmp_path):
    task = get_supervised_task("digits")
    network = task.original(torch.device("cpu"))
    sides = arrays(task.data.retain), arrays(task.data.forget)
    found = unlearn_gym.apply(network, *sides, tmp_path / "classifier", image_shape=(1, 8, 8)).numbers
    assert found["forget_acc"]["after"] < 0.05 and found["retain_acc"]["after"] > 0.95
    data = digits_task.data
    sides = arrays(data.retain), arrays(data.forget)
    applied = unlearn_gym.apply(digits_task.original(), *sides, tmp_path / "diffusion", samples=8)
    found = applied.numbers
    assert found["forget_loss"]["after"] > 5 * found["forget_loss"]["before"] and not applied.warnings
    assert found["retain_loss"]["after"] < 1.1 * found["retain_loss"]["before"]
