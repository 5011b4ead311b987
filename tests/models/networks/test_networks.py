"""The networks have the published sizes, and fit the images of their benchmarks."""

import pytest
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.models.networks import NETWORKS, make_network

# He et al. 2016, table 6: 0.27 M. chenyaofo/pytorch-cifar-models: vgg16_bn with 100 classes 15.30 M,
# mobilenetv2_x1_0 with 10 classes 2.24 M; torchvision's mobilenet_v2 has 3,504,872, of which the
# 1280 × 1000 + 1000 of its last layer become 1280 × 10 + 10.
PUBLISHED = {
    ("resnet20", 3, 10): (0.27e6, 269_722),
    ("vgg16bn", 3, 100): (15.30e6, 15_299_748),
    ("mobilenetv2", 3, 10): (2.24e6, 3_504_872 - 1_281_000 + 12_810),
}
SIZES = {"small_cnn": 8, "resnet20": 32, "vgg16bn": 32, "mobilenetv2": 28}


@pytest.mark.parametrize("key", PUBLISHED, ids=lambda key: key[0])
def test_published_parameter_count(key):
    name, channels, classes = key
    count = sum(p.numel() for p in make_network(name, channels, classes, 0).parameters())
    published, exact = PUBLISHED[key]
    assert count == exact
    assert round(count / 1e4) == round(published / 1e4)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_logits_of_both_channel_counts(name, channels):
    images = torch.zeros(2, channels, SIZES[name], SIZES[name])
    assert make_network(name, channels, 7, 0)(images).shape == (2, 7)


def test_same_seed_same_weights_and_global_rng_untouched():
    before = torch.get_rng_state()
    first, second, other = (make_network("small_cnn", 1, 10, seed) for seed in (3, 3, 4))
    assert torch.equal(first.head.weight, second.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
    assert torch.equal(torch.get_rng_state(), before)


def test_unknown_name_lists_the_known():
    with pytest.raises(UserError, match="resnet20"):
        make_network("resnet", 3, 10, 0)
