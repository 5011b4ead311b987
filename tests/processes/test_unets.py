"""Every UNet that diffusers' ``UNet2DModel`` offers moves as plain autograd moves it."""

from __future__ import annotations

import copy
from dataclasses import astuple

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from tests.processes.small import assert_same_updates, small_process
from tests.processes.test_accelerators import ONE_RULE
from unlearn_gym.errors import UserError
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.processes.gradients import record
from unlearn_gym.processes.gradients.blocks import BlockGradients
from unlearn_gym.processes.gradients.passes import PassedGradients
from unlearn_gym.processes.gradients.per_example import PerExampleGradients
from unlearn_gym.processes.stacked.choice import make_stack

BASE = {
    "sample_size": 8,
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": (4, 8),
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "attention_head_dim": 4,
}


def blocks(down, up, **settings):
    return {"down_block_types": (down, down), "up_block_types": (up, up)} | settings


ATTENTION = blocks("AttnDownBlock2D", "AttnUpBlock2D")
WIDE = {"block_out_channels": (32, 32), "norm_num_groups": 8, "in_channels": 3, "out_channels": 3}
"""Skip blocks are made for RGB images and groups of 32 channels."""

CONFIGS = {
    "plain": blocks("DownBlock2D", "UpBlock2D"),
    "attention": ATTENTION,
    "attention, one pixel": blocks("AttnDownBlock2D", "AttnUpBlock2D", sample_size=2),
    "resnet blocks": blocks("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"),
    "skip": blocks("SkipDownBlock2D", "SkipUpBlock2D", **WIDE),
    "attention and skip": blocks("AttnSkipDownBlock2D", "AttnSkipUpBlock2D", **WIDE),
    "K blocks": blocks("KDownBlock2D", "KUpBlock2D", **WIDE | {"block_out_channels": (32, 64)}),
    "mixed": {
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("UpBlock2D", "AttnUpBlock2D"),
    },
    "resampled by resnets": ATTENTION | {"downsample_type": "resnet", "upsample_type": "resnet"},
    "scale and shift": ATTENTION | {"resnet_time_scale_shift": "scale_shift"},
    "no middle": ATTENTION | {"mid_block_type": None},
    "no attention in the middle": blocks("DownBlock2D", "UpBlock2D", add_attention=False),
    "norms of attention": ATTENTION | {"attn_norm_num_groups": 4, "resnet_time_scale_shift": "scale_shift"},
    "one group": ATTENTION | {"norm_num_groups": 1, "norm_eps": 1e-2},
    "heads that do not divide": ATTENTION | {"attention_head_dim": 3},
    "one head": ATTENTION | {"attention_head_dim": None},
    "mish": ATTENTION | {"act_fn": "mish"},
    "gelu": ATTENTION | {"act_fn": "gelu"},
    "relu": ATTENTION | {"act_fn": "relu"},
    "dropout": ATTENTION | {"dropout": 0.5},
    "centred": ATTENTION | {"center_input_sample": True, "downsample_padding": 0},
    "time": ATTENTION | {"freq_shift": 1, "flip_sin_to_cos": False, "mid_block_scale_factor": 2.0},
    "learned time": ATTENTION | {"time_embedding_type": "learned", "num_train_timesteps": 1000},
    "classes": ATTENTION | {"num_class_embeds": 3},
    "classes as times": ATTENTION
    | {"class_embed_type": "timestep", "time_embedding_type": "learned", "num_train_timesteps": 1000},
}
"""Name → what is not as in ``BASE``. ``ada_group`` and ``spatial`` norms, and blocks with cross attention, are refused
by ``UNet2DModel`` itself; the encoder blocks of autoencoders fail in its forward pass."""

TURNS = [(o, s, n) for s in ("fresh", "lagged") for n in (True, False) for o in ONE_RULE]
"""Objective, state and grad_norms."""


def unet(name, **changes):
    with seeded_weights(0):
        return UNet2DModel(**BASE | CONFIGS[name] | changes)


def settings_of(name, objective="siss", state="fresh", grad_norms=True):
    labels = "mixed" if "classes" in name else "none"
    return {"objective": objective, "state": state, "grad_norms": grad_norms, "labels": labels}


def compare(network, settings, kind=None, lams=(0.4, 0.0, 0.9)):
    fast = small_process(unet=copy.deepcopy(network), **settings)
    slow = small_process(unet=copy.deepcopy(network), gradients="direct", **settings)
    if kind:
        layers = () if kind is PassedGradients else record.trained_layers(fast.model)
        fast._new_gradients = lambda: kind(fast.errors, fast.parameters, fast.pairs, layers)
    assert_same_updates(fast, slow, lams)
    return fast


@pytest.mark.parametrize("name", CONFIGS)
def test_every_network(name):
    compare(unet(name), settings_of(name), lams=(0.4, 0.9))


@pytest.mark.parametrize("objective, state, grad_norms", TURNS)
def test_attention_under_every_objective(objective, state, grad_norms):
    compare(unet("attention"), settings_of("attention", objective, state, grad_norms), lams=(0.4, 0.9))


@pytest.mark.slow
@pytest.mark.parametrize("objective, state, grad_norms", TURNS)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_network_under_every_objective(name, objective, state, grad_norms):
    compare(unet(name), settings_of(name, objective, state, grad_norms))


@pytest.mark.parametrize("kind", [PerExampleGradients, BlockGradients, PassedGradients])
def test_attention_in_every_way(kind):
    compare(unet("attention"), settings_of("attention"), kind)


@pytest.mark.parametrize("name", ["attention", "classes"])
def test_attention_is_recorded(name):
    process = small_process(unet=unet(name), **settings_of(name))
    process.reset(np.random.default_rng(0))
    assert type(process._side_gradients) is PerExampleGradients


def _checkpointed(network):
    network.enable_gradient_checkpointing()


def _channels_last(network):
    network.to(memory_format=torch.channels_last)


def _part_frozen(network):
    network.down_blocks.requires_grad_(False)
    network.conv_norm_out.weight.requires_grad_(False)


def _compiled(network):
    network.mid_block.compile(backend="eager")


@pytest.mark.parametrize(
    "change", [_checkpointed, _channels_last, _part_frozen, pytest.param(_compiled, marks=pytest.mark.slow)]
)
def test_changed_networks(change):
    fast, slow = (small_process(unet=changed(change), gradients=way) for way in ("auto", "direct"))
    assert_same_updates(fast, slow, (0.4, 0.9))


def changed(change):
    network = unet("classes")
    change(network)
    return network


@pytest.mark.filterwarnings("error:.*performance drop")
@pytest.mark.parametrize("name", ["attention", "resnet blocks", "skip", "scale and shift", "classes"])
def test_stacks(name):
    stack = make_stack(small_process(unet=unet(name), **settings_of(name)), 2)
    single = small_process(unet=unet(name), **settings_of(name))
    single.reset(np.random.default_rng(3))
    stack.restart({i: stack.start(np.random.default_rng(3)) for i in range(2)})
    for lam in (0.4, 0.9):
        stack.update((lam, lam))
        assert astuple(stack.updates[0]) == pytest.approx(astuple(single.update(lam)), rel=1e-7, abs=1e-9)
        assert astuple(stack.signals[1]) == pytest.approx(astuple(single.observe()), rel=1e-7, abs=1e-9)
    assert astuple(stack.quality(1)) == pytest.approx(astuple(single.quality()), rel=1e-7)


def test_dropout_switched_on_by_others_is_switched_off():
    process = small_process(unet=unet("dropout"), labels="none")
    process.reset(np.random.default_rng(0))
    process.model.train()
    assert process.quality() == process.quality()


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"time_embedding_type": "fourier"}, "continuous noise levels"),
        ({"class_embed_type": "identity"}, "takes embeddings in the place of labels"),
        ({"out_channels": 2}, r"returns \(2, 8, 8\) numbers for an image of \(1, 8, 8\)"),
        ({"num_class_embeds": 1}, "UNet2DModel fails on a minibatch .*IndexError"),
    ],
)
def test_refused_with_a_sentence(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        small_process(unet=unet("attention", **changes)).reset(np.random.default_rng(0))
