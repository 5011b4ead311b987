"""What a VAE's forget images are redirected to, in closed form."""

import torch

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.objectives.posterior import posterior_noise
from unlearn_gym.objectives.vae.preference import BoundNPO
from unlearn_gym.objectives.vae.redirect import redirected


def set_of(values, *labels):
    return LabelledSet(torch.as_tensor(values, dtype=torch.float64), torch.tensor(labels))


FORGET = set_of([[0.2, 0.9], [1.0, 0.0]], 0, 1)


def test_the_target_is_the_only_reference_of_the_label():
    retain = set_of([[0.5, 0.5], [0.1, 0.3]], 0, 1)
    assert torch.equal(redirected(FORGET, retain), retain.inputs)


def test_it_weighs_references_by_their_distance_whatever_their_order():
    retain = set_of([[0.0, 1.0], [1.0, 1.0], [0.5, 0.0]], 0, 0, 0)
    weights = (-(FORGET.inputs[0] - retain.inputs).square().sum(1) / 2).softmax(0)
    found = redirected(FORGET, retain)
    torch.testing.assert_close(found[0], weights @ retain.inputs)
    turned = LabelledSet(retain.inputs.flip(0), retain.labels)
    torch.testing.assert_close(redirected(FORGET, turned), found)
    # the second image's label has no retain images: all stand in
    weights = (-(FORGET.inputs[1] - retain.inputs).square().sum(1) / 2).softmax(0)
    torch.testing.assert_close(found[1], weights @ retain.inputs)


def test_it_is_the_posterior_of_a_latent_with_unit_scales():
    retain = set_of([[0.0, 1.0], [1.0, 1.0]], 0, 0)
    one = torch.ones(2, dtype=torch.float64)
    noise = posterior_noise(FORGET.inputs, one, one, retain.inputs)
    torch.testing.assert_close(redirected(FORGET, retain), FORGET.inputs - noise)


def test_npo_is_a_power_of_the_ratio_of_the_bounds():
    error, numbers = torch.tensor([0.3, 2.0]).double(), torch.tensor([[0.1, 64.0], [0.2, 64.0]]).double()
    before, pixels = numbers.unbind(1)
    ratio = (pixels * (before - error)).exp()
    expected = 2 / 0.3 * torch.log1p(ratio**0.3) / pixels
    torch.testing.assert_close(BoundNPO().forget_error(error, numbers), expected)
