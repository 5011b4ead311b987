"""Other people's checkpoints: diffusers' own loader is the evaluator of what is read, and damage is a sentence."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.model import DiffusionModel
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.models.diffusion.schedules import KINDS
from unlearn_gym.models.threads import one_thread, seeded_weights

WEIGHTS = "diffusion_pytorch_model.safetensors"
FORM = {
    "sample_size": 8,
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 4,
    "norm_num_groups": 4,
}
SCHEDULE = {
    "num_train_timesteps": 60,
    "beta_schedule": "scaled_linear",
    "beta_end": 0.1,
    "clip_sample_range": 2.0,
}


def network(**changes):
    with seeded_weights(0):
        return UNet2DModel(**{**FORM, **changes}).eval()


@pytest.fixture(scope="module")
def unet():
    return network()


@pytest.fixture(scope="module")
def written(unet, tmp_path_factory):
    """Write the pipeline once; tests damage copies of it."""
    path = tmp_path_factory.mktemp("models") / "pipeline"
    DDPMPipeline(unet, DDPMScheduler(**SCHEDULE)).save_pretrained(path)
    return path


@pytest.fixture
def pipeline(written, tmp_path):
    return shutil.copytree(written, tmp_path / "pipeline")


def edit(file, **changes):
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}))


def root_layout(path, pipeline):
    """The layout of google/ddpm-*: all in the root, as written by the first versions of diffusers."""
    shutil.copytree(pipeline / "unet", path)
    shutil.copy(pipeline / "scheduler" / "scheduler_config.json", path)
    shutil.copy(pipeline / "model_index.json", path)
    old = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    weights = load_file(path / WEIGHTS)
    for before, now in old.items():
        weights = {name.replace(f".{now}.", f".{before}."): value for name, value in weights.items()}
    assert any("proj_attn" in name for name in weights)
    save_file(weights, path / WEIGHTS, {"format": "pt"})


def sharded(path, pipeline):
    loaded = DDPMPipeline.from_pretrained(pipeline)
    loaded.unet.save_pretrained(path / "unet", max_shard_size="20KB")
    loaded.scheduler.save_pretrained(path / "scheduler")
    shutil.copy(pipeline / "model_index.json", path)
    assert len(list((path / "unet").glob("*.safetensors"))) > 1


def half(path, pipeline, **kwargs):
    loaded = DDPMPipeline.from_pretrained(pipeline)
    loaded.unet.half().save_pretrained(path / "unet", variant="fp16", **kwargs)
    loaded.scheduler.save_pretrained(path / "scheduler")
    shutil.copy(pipeline / "model_index.json", path)


def half_sharded(path, pipeline):
    half(path, pipeline, max_shard_size="10KB")
    assert len(list((path / "unet").glob("*.fp16-*.safetensors"))) > 1


def both(path, pipeline):
    shutil.copytree(pipeline, path)
    network(norm_eps=0.5).half().save_pretrained(
        path / "unet", variant="fp16"
    )  # the plain weights are to be taken
    shutil.copy(pipeline / "unet" / "config.json", path / "unet")


LAYOUTS = {"pipeline": shutil.copytree, "root": root_layout, "sharded": sharded, "fp16": half}
LAYOUTS |= {"fp16-sharded": half_sharded, "fp16-beside-plain": both}
LAYOUTS["pipeline"] = lambda path, pipeline: shutil.copytree(pipeline, path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_as_diffusers_own_loader_reads_it(layout, written, tmp_path):
    LAYOUTS[layout](tmp_path / "m", written)
    variant = {"variant": "fp16"} if layout in ("fp16", "fp16-sharded") else {}
    theirs = DDPMPipeline.from_pretrained(tmp_path / "m", dtype=torch.float32, **variant)
    state = torch.get_rng_state()
    ours = DiffusionModel.load(tmp_path / "m")
    assert torch.equal(state, torch.get_rng_state())
    assert ours.scheduler.config["num_train_timesteps"] == 60
    assert torch.equal(ours.scheduler.betas, theirs.scheduler.betas)
    expected = theirs.unet.state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in ours.unet.state_dict().items())
    assert {weight.dtype for weight in ours.unet.parameters()} == {torch.float32} and not ours.unet.training
    noise = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with one_thread():
        drawn = sample(ours.unet, ours.scheduler, None, noise, 5)
        with torch.no_grad():
            sampler = DDIMScheduler.from_config(theirs.scheduler.config, timestep_spacing="trailing")
            sampler.set_timesteps(5)
            for step in sampler.timesteps:
                predicted = theirs.unet(noise, step).sample
                noise = sampler.step(predicted, step, noise, use_clipped_model_output=True).prev_sample
    assert torch.equal(drawn, noise.clamp(-1, 1))


def test_the_index_names_the_class_of_the_scheduler(pipeline):
    edit(pipeline / "model_index.json", _class_name="DDIMPipeline", scheduler=["diffusers", "DDIMScheduler"])
    loaded = DiffusionModel.load(pipeline)
    theirs = DDIMPipeline.from_pretrained(pipeline).scheduler
    assert type(loaded.given_scheduler) is type(theirs) is DDIMScheduler
    assert torch.equal(loaded.scheduler.betas, theirs.betas)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scheduler_comes_back_as_what_it_was(kind, unet, tmp_path):
    scheduler = KINDS[kind](num_train_timesteps=50, beta_schedule="squaredcos_cap_v2")
    scheduler.set_timesteps(5)
    model = DiffusionModel.of((unet, scheduler))
    assert type(model.scheduler) is DDPMScheduler
    assert torch.equal(
        model.scheduler.alphas_cumprod, DDPMScheduler(50, beta_schedule="squaredcos_cap_v2").alphas_cumprod
    )
    model.save_pretrained(tmp_path / "m")
    again = DDPMPipeline.from_pretrained(tmp_path / "m").scheduler
    assert type(again) is KINDS[kind]
    config = {name: value for name, value in again.config.items() if not name.startswith("_")}
    assert config == {name: value for name, value in scheduler.config.items() if not name.startswith("_")}
    loaded = DiffusionModel.load(tmp_path / "m")
    assert type(loaded.given_scheduler or loaded.scheduler) is KINDS[kind]


def test_clipping_is_that_of_the_scheduler_that_came(unet):
    scheduler = DDIMScheduler(clip_sample=False, thresholding=True, sample_max_value=2.5)
    config = DiffusionModel.of((unet, scheduler)).scheduler.config
    assert (config["clip_sample"], config["thresholding"], config["sample_max_value"]) == (False, True, 2.5)


def test_trained_betas_are_kept(unet, tmp_path):
    betas = np.linspace(0.01, 0.2, 30)
    DiffusionModel.of(unet, DDPMScheduler(30, trained_betas=betas)).save_pretrained(tmp_path / "m")
    torch.testing.assert_close(
        DiffusionModel.load(tmp_path / "m").scheduler.betas, torch.tensor(betas).float()
    )


def test_a_bare_network_needs_its_schedule(unet, tmp_path):
    unet.save_pretrained(tmp_path / "bare")
    with pytest.raises(UserError, match=r"without a noise schedule.*scheduler="):
        DiffusionModel.load(tmp_path / "bare")
    scheduler = DDPMScheduler(**SCHEDULE)
    scheduler.save_pretrained(tmp_path / "s" / "scheduler")
    file = tmp_path / "s" / "scheduler" / "scheduler_config.json"
    for given in (scheduler, tmp_path / "s", str(file.parent), file):
        assert torch.equal(DiffusionModel.load(tmp_path / "bare", given).scheduler.betas, scheduler.betas)
    with pytest.raises(UserError, match="of its own; leave scheduler= out"):
        DiffusionModel.of((unet, scheduler), scheduler)


def test_the_weights_of_ema_bring_keys_that_are_ignored_aloud(pipeline):
    edit(pipeline / "unet" / "config.json", decay=0.999, optimization_step=7)
    with pytest.warns(UserWarning, match="decay, optimization_step.*ignored"):
        DiffusionModel.load(pipeline)


def without(name):
    def damage(weights):
        del weights[name]

    return damage


def replaced(name, change):
    def damage(weights):
        weights[name] = change(weights[name])

    return damage


WEIGHT_FAULTS = {
    "missing": (without("conv_in.weight"), "are missing or left over"),
    "surplus": (lambda weights: weights.update(more=torch.zeros(3)), "are missing or left over"),
    "renamed": (
        lambda weights: weights.update(conv_inn=weights.pop("conv_in.bias")),
        r"lacks weights, conv_in\.bias",
    ),
    "shape": (replaced("conv_in.weight", lambda w: w.reshape(1, 8, 3, 3)), "cannot be read .*conv_in"),
    "nan": (replaced("conv_out.bias", lambda w: w * torch.nan), r"conv_out\.bias is not finite"),
    "infinite": (replaced("conv_in.bias", lambda w: w + torch.inf), r"conv_in\.bias is not finite"),
    "whole numbers": (replaced("conv_in.bias", lambda w: w.to(torch.int8)), "of type I8"),
    "eight bits": (replaced("conv_in.bias", lambda w: w.to(torch.float8_e4m3fn)), "of type F8"),
}


def refused(match, given, scheduler=None):
    with pytest.raises(UserError, match=match) as raised:
        DiffusionModel.of(given, scheduler)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("fault", WEIGHT_FAULTS)
def test_weights_that_are_not_all_there_are_refused(fault, pipeline):
    change, match = WEIGHT_FAULTS[fault]
    weights = load_file(pipeline / "unet" / WEIGHTS)
    change(weights)
    save_file(weights, pipeline / "unet" / WEIGHTS, {"format": "pt"})
    refused(match, pipeline)


def test_damaged_files_are_refused(pipeline, tmp_path):
    file = pipeline / "unet" / WEIGHTS
    whole = file.read_bytes()
    for content in (whole[:-100], b"", b"\xff" * 64):
        file.write_bytes(content)
        refused("cannot be read", pipeline)
    file.rename(file.with_suffix(".bin"))
    refused("pickled weights.*use_safetensors=False", pipeline)
    file.with_suffix(".bin").unlink()
    refused("has no diffusion_pytorch_model", pipeline)


def test_a_shard_that_lacks_what_its_index_lists_is_refused(written, tmp_path):
    sharded(tmp_path / "m", written)
    index = tmp_path / "m" / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    shard = tmp_path / "m" / "unet" / json.loads(index.read_text())["weight_map"]["conv_in.weight"]
    weights = load_file(shard)
    weights.pop("conv_in.weight")
    save_file(weights, shard, {"format": "pt"})
    refused("does not hold the weights that its index lists", tmp_path / "m")
    shard.unlink()
    refused("cannot be read", tmp_path / "m")
    edit(index, weight_map=[1])
    refused("no weight_map", tmp_path / "m")


def test_weights_of_two_variants_are_refused(written, tmp_path):
    half(tmp_path / "m", written)
    shutil.copy(
        written / "unet" / WEIGHTS, tmp_path / "m" / "unet" / "diffusion_pytorch_model.ema.safetensors"
    )
    refused("several variants .ema, fp16.", tmp_path / "m")


UNET_FAULTS = [
    ({"_class_name": "UNet2DConditionModel"}, "holds a 'UNet2DConditionModel'"),
    ({"_class_name": ...}, "holds a None"),
    ({"out_channels": 2}, "learned variance"),
    ({"out_channels": 3}, "1 input and 3 output"),
    ({"in_channels": 4, "out_channels": 4}, "colour"),
    ({"in_channels": "1"}, "in_channels='1', which is no int"),
    ({"center_input_sample": "false"}, "center_input_sample='false', which is no bool"),
    ({"block_out_channels": [8, 16.5]}, "block_out_channels"),
    ({"block_out_channels": [8, 24]}, r"\d weights and its config"),
    ({"block_out_channels": [8, 10**6]}, r"\d weights and its config"),
    ({"block_out_channels": [8]}, "cannot be built"),
    ({"down_block_types": ["DownBlock2D", "Magic"]}, "cannot be built"),
    ({"norm_num_groups": 5}, "cannot be built"),
    ({"layers_per_block": ...}, "does not say layers_per_block"),
    ({"sample_size": None}, "does not say sample_size"),
    ({"sample_size": [8, 8, 8]}, "sample_size"),
    ({"sample_size": []}, "sample_size"),
    ({"sample_size": 0}, "sample_size=0"),
    ({"sample_size": 9}, "fails on images of shape"),
    ({"class_embed_type": "timestep"}, "class_embed_type"),
    ({"num_class_embeds": 0}, "num_class_embeds=0"),
    ({"num_class_embeds": 10}, r"\d weights and its config"),
    ({"freq_shift": 4}, "not finite"),
    ({"quantization_config": {}}, "quantized"),
]


@pytest.mark.parametrize(("changes", "match"), UNET_FAULTS, ids=str)
def test_odd_network_configurations_are_sentences(changes, match, pipeline):
    edit(pipeline / "unet" / "config.json", **changes)
    refused(match, pipeline)


SCHEDULER_FAULTS = [
    ({"prediction_type": "v_prediction"}, "'v_prediction'; give one with prediction_type 'epsilon'"),
    ({"prediction_type": "sample"}, "'sample'"),
    ({"_class_name": "ScoreSdeVeScheduler"}, "not understood"),
    ({"_class_name": ["DDPMScheduler"]}, "not understood"),
    ({"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"}, "discrete betas"),
    ({"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": True}, "discrete betas"),
    ({"beta_schedule": "cubic"}, "cannot be built"),
    ({"beta_schedule": ...}, "does not say beta_schedule"),
    ({"num_train_timesteps": ...}, "does not say num_train_timesteps"),
    ({"num_train_timesteps": "60"}, "num_train_timesteps='60', which is no int"),
    ({"num_train_timesteps": 10**12}, "num_train_timesteps=1000000000000"),
    ({"num_train_timesteps": 1}, "num_train_timesteps=1"),
    ({"beta_end": float("nan")}, "beta nan at step"),
    ({"beta_start": 0.0}, "beta 0 at step 0"),
    ({"beta_start": -0.1, "beta_schedule": "linear"}, "beta -0.1 at step 0"),
    ({"beta_end": 1.5}, "at step"),
    ({"beta_start": 1e-9, "beta_schedule": "linear"}, "float32 cannot tell"),
    ({"beta_start": 0.9, "beta_end": 0.99}, "float32 cannot tell"),
    ({"trained_betas": [0.1, 0.2]}, r"betas of shape \(2,\) for num_train_timesteps=60"),
    ({"trained_betas": [[0.1] * 60]}, "trained_betas"),
    ({"trained_betas": "linear"}, "trained_betas"),
    ({"rescale_betas_zero_snr": True}, "ends at pure noise"),
    ({"clip_sample": "no"}, "clip_sample='no', which is no bool"),
]


@pytest.mark.parametrize(("changes", "match"), SCHEDULER_FAULTS, ids=str)
def test_odd_schedules_are_sentences(changes, match, pipeline):
    edit(pipeline / "scheduler" / "scheduler_config.json", **changes)
    if "_class_name" in changes:
        (pipeline / "model_index.json").unlink()
    refused(match, pipeline)


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "[" * 100_000, "\udcff"])
@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
def test_files_that_are_no_json_object_are_sentences(content, file, pipeline):
    (pipeline / file).write_text(content, errors="surrogateescape")
    refused("config|model_index", pipeline)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"vqvae": ["diffusers", "VQModel"]}, "lists vqvae"),
        ({"unet": ["diffusers", "UNet1DModel"]}, "lists unet"),
        ({"unet": ["my_module", "UNet2DModel"]}, "lists unet"),
        ({"scheduler": ["diffusers", {}]}, "lists scheduler"),
        ({"scheduler": ["diffusers", "CMStochasticIterativeScheduler"]}, "not understood"),
        ({"scheduler": ...}, "does not list both"),
    ],
    ids=str,
)
def test_pipelines_of_other_models_are_sentences(changes, match, pipeline):
    edit(pipeline / "model_index.json", **changes)
    refused(match, pipeline)


def test_folders_without_a_model_are_sentences(pipeline, tmp_path):
    refused("There is no model folder", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    refused(r"no config\.json", tmp_path / "empty")
    (pipeline / "scheduler" / "scheduler_config.json").unlink()
    refused(r"no .*scheduler_config\.json", pipeline)


def test_a_network_that_predicts_other_than_noise_everywhere_is_refused():
    refused("not finite", network(time_embedding_type="fourier"), DDPMScheduler())
    learned = network(time_embedding_type="learned", num_train_timesteps=30)
    refused("fails on images", learned, DDPMScheduler())
    assert DiffusionModel.of(learned, DDPMScheduler(30))


class Moody(UNet2DModel):
    """A user's own network, which raises."""

    def forward(self, *args, **kwargs):
        raise KeyError("not today")


def test_objects_are_copied_and_other_objects_refused(unet, written):
    pipeline = DDPMPipeline.from_pretrained(written)
    before = {name: weight.clone() for name, weight in pipeline.unet.state_dict().items()}
    pipeline.unet.conv_in.weight.requires_grad_(False)
    taken = DiffusionModel.of(pipeline)
    assert [name for name, weight in taken.unet.named_parameters() if not weight.requires_grad] == [
        "conv_in.weight"
    ]
    with torch.no_grad():
        taken.unet.conv_out.weight.zero_()
    assert all(torch.equal(weight, before[name]) for name, weight in pipeline.unet.state_dict().items())
    assert torch.equal(DiffusionModel.of(taken).unet.conv_out.weight, taken.unet.conv_out.weight)
    refused("are frozen", network().requires_grad_(False), DDPMScheduler())
    refused("without a noise schedule", unet)
    refused("cannot be read from Linear", torch.nn.Linear(2, 2), DDPMScheduler())
    refused("cannot be read from int", 3)
    refused("which is not understood", (unet, torch.nn.Linear(2, 2)))
    refused("not today", Moody(**FORM), DDPMScheduler())
    refused("not the network of its config", network().to("meta"), DDPMScheduler())
    changed = network()
    changed.conv_in = torch.nn.Conv2d(1, 8, 5, padding=2)
    refused("not the network of its config", changed, DDPMScheduler())
    scheduler = DDPMScheduler()
    scheduler.betas[3] = 0.5
    refused("other betas than its config", unet, scheduler)


def test_half_precision_objects_are_taken_in_float32(unet):
    taken = DiffusionModel.of(network().half(), DDPMScheduler())
    assert torch.equal(taken.unet.conv_in.weight, unet.conv_in.weight.half().float())
