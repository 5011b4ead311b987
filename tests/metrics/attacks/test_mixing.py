"""Weights between two models, and the search for how far one may go."""

import pytest
import torch
from torch import nn

from unlearn_gym.metrics.attacks.mixing import GRID, largest_share, mixed
from unlearn_gym.models.threads import seeded_weights

IMAGES = torch.rand(40, 3, generator=torch.Generator().manual_seed(0))


def net(seed):
    with seeded_weights(seed):
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()


def test_the_ends_are_the_models_bit_for_bit():
    one, other = net(0), net(1)
    with torch.no_grad():
        other[0].weight[0, 0] = torch.nan  # a wrecked model does not reach the original
    for share, model in ((0.0, one), (1.0, other)):
        found = mixed(one, other, share, IMAGES).state_dict()
        for name, value in model.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True)


def test_between_them_weights_are_mixed_and_running_statistics_are_measured():
    one, other = net(0), net(1)
    found = mixed(one, other, 0.25, IMAGES)
    torch.testing.assert_close(found[2].weight, 0.75 * one[2].weight + 0.25 * other[2].weight)
    torch.testing.assert_close(found[1].running_mean, found[0](IMAGES).mean(0))
    assert not any(module.training for module in found.modules())


@pytest.mark.parametrize("limit", [0.0, 0.1, 0.3, 0.77, 1.0])
def test_the_largest_share_is_found_to_the_last_halving(limit):
    found = largest_share(lambda share: share <= limit)
    assert 0 <= limit - found <= 1 / 128 + 1e-12


def test_what_holds_need_not_hold_below():
    asked = []

    def holds(share):
        asked.append(share)
        return share > 0.9 or share < 0.1

    assert largest_share(holds) == 1.0 and asked == [1.0]
    assert largest_share(lambda share: 0.5 < share < 0.8) == pytest.approx(0.8, abs=1 / 64)
    assert largest_share(lambda share: False) == 0.0
    assert GRID == 8
