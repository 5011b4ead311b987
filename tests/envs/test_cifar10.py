"""The environments of real photographs: on stand-ins of the images, with untrained networks and the real judge."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

from unlearn_gym.cli import main
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import EvaluatorSettings, starting_point
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.models.diffusion.tasks import get_task

SHORT = {"horizon": 2, "batch_size": 8}
SETTINGS = EvaluatorSettings(samples=6, class_samples=2, sampling_steps=2, probe=8)
ALL_GONE = {"class_accuracy", "balance", "fid_forget", "kid_forget"}
"""What means nothing without labels."""


def ddpm_cifar10(folder, widths=(128, 256, 256, 256), layers=2, groups=32):
    """Write an untrained network in the layout of google/ddpm-cifar10-32, whose sizes are the defaults."""
    down, up = ["DownBlock2D"] * 4, ["UpBlock2D"] * 4
    down[1], up[2] = "AttnDownBlock2D", "AttnUpBlock2D"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DModel(
            sample_size=32,
            in_channels=3,
            out_channels=3,
            center_input_sample=False,
            time_embedding_type="positional",
            freq_shift=1,
            flip_sin_to_cos=False,
            down_block_types=down,
            up_block_types=up,
            block_out_channels=widths,
            layers_per_block=layers,
            mid_block_scale_factor=1,
            downsample_padding=0,
            act_fn="silu",
            attention_head_dim=None,
            norm_num_groups=groups,
            norm_eps=1e-6,
        )
    schedule = DDPMScheduler(variance_type="fixed_large", beta_schedule="linear", clip_sample=True)
    pipeline = DDPMPipeline(unet, schedule)
    pipeline.save_config(folder)  # all in one folder, as the hub has it
    unet.save_pretrained(folder)
    schedule.save_pretrained(folder)
    return folder


@pytest.fixture
def small_ddpm(tmp_path):
    return ddpm_cifar10(tmp_path / "ddpm", widths=(8, 8, 8, 8), layers=1, groups=4)


def make(name="SISS-CIFAR10-v0", **kwargs):
    return gym.make(f"unlearn_gym/{name}", **{**SHORT, **kwargs}).unwrapped


def test_a_class_of_the_mixture_is_to_be_forgotten():
    env = make(task_kwargs={"forget_class": 2})
    data = env.process.data
    assert data.num_classes == 0 and data.forget_label is None and list(data.forgotten_concepts) == [2]
    assert set(data.forget.labels.tolist()) == {2} and 2 not in data.retain.labels
    assert set(data.forget_holdout.labels.tolist()) == {2} and 2 not in data.retain_holdout.labels
    assert env.process.model.config["num_class_embeds"] is None


def test_both_tasks_start_from_one_original():
    by_class, at_random = get_task("cifar10"), get_task("cifar10-random", share=0.25)
    assert by_class.original() and at_random.found("original") == by_class.found("original")
    assert at_random.spec(at_random.diffusion, *at_random.training_parts("retrained")) != by_class.spec(
        by_class.diffusion, *by_class.training_parts("retrained")
    )


def test_the_evaluator_measures_what_means_something():
    env = make()
    evaluator = make_evaluator(env, SETTINGS)
    env.reset(seed=0)
    scores = evaluator.score(evaluator.model(), 0)
    assert set(scores.values) == set(evaluator.metrics()) and not ALL_GONE & set(scores.values)
    assert {"concept_rate", "neither_rate", "fid_retain", "fid_retrained", "mia_auc"} <= set(scores.values)
    assert np.isfinite(list(scores.values.values())).all()
    assert set((*evaluator.key_metrics, *evaluator.trade_off)) - {"return"} <= set(scores.values)
    assert set(scores.trials) == {"concept_rate", "label_accuracy", "neither_rate"} and not scores.classes
    assert "told no labels" in evaluator.unattackable("relearn")


def test_check_says_what_samples_of_the_mixture_show():
    said = starting_point.check(get_task("cifar10"), samples=4)
    columns, _, *rows = said[-1].strip().splitlines()
    assert "airplane" in columns and columns.rstrip("| ").endswith("neither") and len(rows) == 2
    for row in rows:
        assert sum(float(cell) for cell in row.strip("| ").split("|")[1:]) == pytest.approx(1.0, abs=0.01)


def test_random_images_are_judged_by_membership_alone():
    env = make(task="cifar10-random", task_kwargs={"share": 0.25, "seed": 1})
    data, evaluator = env.process.data, make_evaluator(env, SETTINGS)
    assert (len(data.forget), len(data.retain), len(data.forget_holdout)) == (6, 18, 4)
    env.reset(seed=0)
    values = evaluator.score(evaluator.model(), 0).values
    assert {"mia_auc", "mia_auc_calibrated", "neither_rate"} <= set(values)
    assert not {"concept_rate", "label_accuracy"} & set(values)
    assert set((*evaluator.key_metrics, *evaluator.trade_off)) - {"return"} <= set(values)


def test_a_network_of_the_users_stands_in_for_the_tasks(small_ddpm):
    env = make("Posterior-CIFAR10-v0", model=small_ddpm)
    assert env.process.model.config["norm_num_groups"] == 4 and env.task.retrained() is None
    env.reset(seed=0)
    assert np.isfinite(env.step([0.5])[0]).all()
    evaluator = make_evaluator(env, SETTINGS)
    values = evaluator.score(evaluator.model(), 0).values
    assert "concept_rate" in values and not {"fid_retrained", "mia_auc_calibrated"} & set(values)
    assert "without one retrained" in evaluator.notes()[0]


def test_a_name_of_the_hub_is_downloaded(small_ddpm, monkeypatch):
    asked = []

    def snapshot_download(name, allow_patterns):
        asked.append((name, allow_patterns))
        return str(small_ddpm)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    env = make(model="google/ddpm-cifar10-32")
    assert asked == [("google/ddpm-cifar10-32", ["*.json", "*.safetensors"])]
    assert env.process.model.config["block_out_channels"] == [8, 8, 8, 8]


def test_a_name_that_the_hub_does_not_give_is_one_sentence(monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    with pytest.raises(
        UserError, match="no model folder google/ddpm-cifar10-32, and it could not be downloaded"
    ):
        make(model="google/ddpm-cifar10-32")


def test_a_network_of_other_images_is_refused(small_ddpm):
    with pytest.raises(
        UserError, match="images of 1 channels, 8×8 pixels and 10 labels, and model= is a network"
    ):
        make("SISS-Digits-v0", model=small_ddpm)


@pytest.mark.parametrize(
    ("task", "keywords", "named"),
    [
        ("cifar10", {"forget_class": 10}, "forget_class=10 is not in"),
        ("cifar10-random", {"share": 1.0}, "share=1.0 was given; choose a share between 0 and 1"),
        ("cifar10-random", {"seed": -1}, "seed=-1"),
    ],
)
def test_what_is_not_there_is_refused(task, keywords, named):
    with pytest.raises(UserError, match=named):
        make(task=task, task_kwargs=keywords)


@pytest.mark.slow
@pytest.mark.parametrize("study", ["cifar10", "cifar10_random"])
def test_the_studies_run_to_their_report(study, tmp_path):
    small = {
        "samples": 6,
        "sampling_steps": 2,
        "probe": 8,
        "env_kwargs.horizon": 1,
        "env_kwargs.batch_size": 4,
    }
    words = [word for name, value in small.items() for word in (f"--settings.{name}", str(value))]
    assert main(["study", study, "--output", str(tmp_path), *words]) == 0
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    for row in ("siss 0.5", "weighted 0.1", "posterior 0.5", "before", "retrained"):
        assert row in report or row.replace("siss", "SISS") in report


@pytest.mark.slow
def test_the_standard_network_makes_a_step(tmp_path):
    env = make(model=ddpm_cifar10(tmp_path / "ddpm"), batch_size=2)
    assert sum(weight.numel() for weight in env.process.model.parameters()) == 35_746_307
    env.reset(seed=0)
    assert np.isfinite(env.step([0.5])[0]).all()
    env.save_pretrained(tmp_path / "unlearned")
    assert DDPMPipeline.from_pretrained(tmp_path / "unlearned").unet.config.sample_size == 32
