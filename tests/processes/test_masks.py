"""Masks: which weights may move."""

import numpy as np
import pytest
import torch

from tests.processes.small import small_process
from tests.processes.test_foreign_networks import build
from tests.processes.test_foreign_networks import process as supervised
from unlearn_gym.errors import UserError
from unlearn_gym.processes.common.masks import salient

MAKERS = {"diffusion": small_process, "supervised": lambda **kw: supervised(build("plain"), **kw)}


def moved(kind, seed=0, lam=0.5, **settings):
    """Return the process and how far its weights are from the original after three updates."""
    process = MAKERS[kind](optimizer="adam", learning_rate=1e-2, **settings)
    process.reset(np.random.default_rng(seed))
    for _ in range(3):
        process.update(lam)
    return process, process._weights.detach() - process.original[0]


@pytest.mark.parametrize("kind", MAKERS)
def test_masked_weights_stay_to_the_last_bit(kind):
    process, change = moved(kind, mask="saliency:0.25")
    assert process.mask.sum() == round(0.25 * len(change))
    assert (change[process.mask == 0] == 0).all() and (change[process.mask == 1] != 0).float().mean() > 0.9


@pytest.mark.parametrize("kind", MAKERS)
def test_a_mask_of_everything_changes_nothing(kind):
    assert torch.equal(moved(kind, mask="saliency:1")[1], moved(kind)[1])


@pytest.mark.parametrize("kind", MAKERS)
def test_the_mask_knows_neither_seed_nor_action(kind):
    masks = [moved(kind, seed, lam, mask="saliency:0.5")[0].mask for seed, lam in ((0, 0.1), (5, 0.9))]
    assert torch.equal(*masks)
    late, _ = moved(kind, mask="saliency:0.5")
    before = late._weights.detach().clone()
    del late.mask  # made anew by a process that has moved, as after a resume
    assert torch.equal(late.mask, masks[0]) and torch.equal(late._weights.detach(), before)


def test_the_largest_sums_of_clipped_gradients_are_salient():
    gradients = [torch.tensor([30.0, 40.0, 0.0, 0.1]), torch.tensor([-0.6, 0.0, 0.3, 0.1])]
    assert salient(gradients, 0.5).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("mask", ["saliency", "saliency:0", "saliency:2", "random:0.5"])
def test_what_is_no_mask_is_refused(mask):
    with pytest.raises(UserError, match=r"saliency:0\.5"):
        small_process(mask=mask)


def test_decay_would_move_masked_weights():
    with pytest.raises(UserError, match="adamw"):
        small_process(mask="saliency:0.5", optimizer="adamw")


def test_a_mask_of_nothing_is_refused():
    process = small_process(mask="saliency:1e-9")
    process.reset(np.random.default_rng(0))
    with pytest.raises(UserError, match="none of the"):
        process.update(0.5)
