"""Passes in bfloat16 of weights in float32."""

import copy

import pytest
import torch

from unlearn_gym.models.mixed import MixedPasses, passed
from unlearn_gym.models.networks import make_network


def images(n=8):
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def network():
    return make_network("small_cnn", 1, 10, 0).train()


def gradient(model):
    model.zero_grad()
    model(images()).logsumexp(1).sum().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def test_outputs_weights_and_gradients_are_float32_and_near_the_exact_ones():
    full, mixed = network(), MixedPasses(network())
    one, other = full(images()), mixed(images())
    assert other.dtype == torch.float32 and not torch.equal(one, other)
    assert (one - other).norm() < 0.05 * one.norm()
    exact, rounded = gradient(full), gradient(mixed)
    assert rounded.dtype == torch.float32
    assert torch.cosine_similarity(exact, rounded, dim=0) > 0.999
    assert all(p.dtype == torch.float32 for p in mixed.parameters())


def test_weights_that_change_between_two_calls_are_seen():
    mixed = MixedPasses(network())
    with torch.enable_grad():
        before = mixed(images())
        with torch.no_grad():
            mixed.network.get_parameter(next(name for name, _ in mixed.network.named_parameters())).mul_(2.0)
        assert not torch.equal(mixed(images()), before)


def test_a_copy_has_weights_of_its_own():
    mixed = MixedPasses(network())
    copied = copy.deepcopy(mixed)
    with torch.no_grad():
        for weight in copied.parameters():
            weight.zero_()
    assert torch.equal(mixed(images()), MixedPasses(network())(images()))


@pytest.mark.parametrize("inputs", [torch.ones(3, 5), torch.ones(3, 2, 5)])
def test_other_inputs_than_images_pass_too(inputs):
    assert MixedPasses(torch.nn.Linear(5, 2))(inputs).shape == (*inputs.shape[:-1], 2)


def test_full_precision_is_the_network_itself():
    plain = network()
    assert passed(plain, "float32") is plain and passed(plain, "bfloat16").network is plain
