"""Attacks on what a small network is told, with both kinds of label embeddings of diffusers."""

import copy
import math

import pytest
import torch
from diffusers import UNet2DModel
from torch import nn

from tests.processes.small import small_data, small_process
from unlearn_gym.metrics.attacks import conditions
from unlearn_gym.metrics.attacks.conditions import attacked, label_vectors, overlapped, unreachable
from unlearn_gym.metrics.attacks.relearning import denoising
from unlearn_gym.models.diffusion.model import build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights

IMAGES = small_data("mixed").forget.inputs
LABEL = 0
LOSS = denoising(default_scheduler(), conditional=True)


def of_timesteps():
    """A network whose labels are embedded as timesteps are."""
    sizes = {"sample_size": 8, "in_channels": 1, "out_channels": 1, "block_out_channels": (4, 8)}
    blocks = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    with seeded_weights(0):
        return UNet2DModel(
            **sizes,
            **blocks,
            norm_num_groups=2,
            layers_per_block=1,
            class_embed_type="timestep",
            num_class_embeds=3,
        )


NETWORKS = {"table": lambda: small_process().model.float(), "timestep": of_timesteps}
KINDS = pytest.mark.parametrize("kind", NETWORKS)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(conditions, "STEPS", 20)


def attack(model, radius=math.inf, seed=0):
    """Return the attacked copy and the vector that it takes its labels for."""
    found = attacked(model, LOSS, IMAGES, LABEL, radius, torch.Generator().manual_seed(seed))
    vectors = label_vectors(found, IMAGES[0])
    assert torch.equal(vectors, vectors[:1].expand_as(vectors))
    return found, vectors[0]


@torch.no_grad()
def loss(model):
    rows = torch.arange(400) % len(IMAGES)
    labels = torch.full((400,), LABEL)
    return float(LOSS(model, IMAGES[rows], labels, torch.Generator().manual_seed(9)))


@KINDS
def test_the_loss_falls_and_the_model_is_left_alone(kind):
    model = NETWORKS[kind]()
    before, needs = copy.deepcopy(model.state_dict()), [p.requires_grad for p in model.parameters()]
    found, vector = attack(model)
    assert loss(found) < loss(model)
    for network in (model, found):  # no weight moved, in the copy neither
        for name, value in network.state_dict().items():
            assert torch.equal(value, before[name])
    assert [p.requires_grad for p in model.parameters()] == needs
    assert all(p.grad is None for p in model.parameters())
    assert not torch.equal(label_vectors(model, IMAGES[0])[LABEL], vector)
    assert not vector.requires_grad


@KINDS
@pytest.mark.parametrize("radius", [0.0, 1e-3, 0.02])
def test_the_vector_stays_within_the_radius(kind, radius):
    model = NETWORKS[kind]()
    vectors = label_vectors(model, IMAGES[0])
    nearest = min(float((vectors[k] - vectors[LABEL]).norm()) for k in (1, 2))
    moved = float((attack(model, radius)[1] - vectors[LABEL]).norm())
    assert moved == pytest.approx(radius * nearest, rel=1e-3, abs=1e-6)  # and it wants to go farther


def test_the_seed_decides():
    model = NETWORKS["table"]()
    assert torch.equal(attack(model)[1], attack(model)[1])
    assert not torch.equal(attack(model)[1], attack(model, seed=1)[1])


@KINDS
def test_half_way_between_two_labels(kind):
    model = NETWORKS[kind]()
    vectors = label_vectors(model, IMAGES[0])
    found = label_vectors(overlapped(model, IMAGES[0], LABEL), IMAGES[0])
    torch.testing.assert_close(found, (vectors + vectors[LABEL]) / 2)
    torch.testing.assert_close(label_vectors(model, IMAGES[0]), vectors)


def test_a_table_is_read_as_it_is():
    model = NETWORKS["table"]()
    torch.testing.assert_close(label_vectors(model, IMAGES[0]), model.class_embedding.weight)


def test_what_cannot_be_reached():
    table = NETWORKS["table"]()
    assert unreachable(table, 0) == unreachable(of_timesteps(), 0) == ""
    assert unreachable(table, None) == "the images to forget have no label of their own"
    table.class_embedding = nn.Sequential(table.class_embedding)
    assert unreachable(table, 0) == (
        "the vectors of its labels are inside a Sequential and cannot be reached"
    )
    for classes, reason in ((0, "the network is told no labels"), (1, "the network has one label")):
        assert unreachable(build_unet(8, 1, classes, widths=(4, 8), norm_groups=2), 0).startswith(reason)
