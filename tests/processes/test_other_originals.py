"""A process that goes over to the original weights of another network of the same kind."""

import numpy as np
import pytest
import torch

from tests.processes.test_supervised import equal, process, tensors
from unlearn_gym.errors import UserError
from unlearn_gym.models.networks import make_network
from unlearn_gym.processes.common.originals import numbers_of


def another(seed=1):
    network = make_network("small_cnn", 1, 10, seed).double()
    with torch.no_grad():
        for buffer in network.buffers():
            buffer.add_(seed)
    return network


@pytest.mark.parametrize("objective", ["linear", "npo"])
def test_a_reset_starts_from_the_other_weights_and_buffers(objective):
    made, network = process(objective, mask="saliency:0.5"), another()
    made.reset(np.random.default_rng(0))
    made.update(0.5)
    mask = made.mask
    made.use_original(numbers_of(network))
    made.reset(np.random.default_rng(0))
    assert equal(tensors(made), network.state_dict().values())
    assert not torch.equal(made.mask, mask)
    assert equal(made._original_model.state_dict().values(), network.state_dict().values())
    before = [t.clone() for t in made.original]
    made.update(0.5)
    assert equal(made.original, before) and equal(numbers_of(network), before)
    assert not equal(tensors(made), network.state_dict().values())


def test_other_shapes_are_one_sentence_and_change_nothing():
    made = process()
    before = made.original
    weights, *buffers = numbers_of(another())
    for wrong in ([weights[1:], *buffers], [weights, *buffers[1:]], [weights, *buffers, weights]):
        with pytest.raises(UserError, match="do not fit this SmallCNN"):
            made.use_original(wrong)
    assert made.original is before


def test_numbers_of_another_type_are_brought_to_the_processs_own():
    made = process()
    made.use_original(numbers_of(another().float()))
    made.reset(np.random.default_rng(0))
    assert made.update(0.5).diverged is False and made.original[0].dtype == torch.float64
