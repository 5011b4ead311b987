"""Rounded weights."""

import pytest
import torch

from unlearn_gym.metrics.attacks.rounding import rounded


@pytest.mark.parametrize("bits, values", [(8, 255), (4, 15), (2, 3)])
def test_rounded_weights_lie_on_a_grid(bits, values):
    model = torch.nn.Linear(40, 40)
    found = rounded(model, bits)
    for before, after in zip(model.parameters(), found.parameters(), strict=True):
        step = before.abs().max() / (2 ** (bits - 1) - 1)
        assert len(after.unique()) <= values
        assert (after - before).abs().max() <= step / 2 * (1 + 1e-5)
    assert torch.equal(
        rounded(torch.nn.Linear(1, 1).requires_grad_(False), 8).weight.isfinite(), torch.ones(1, 1) > 0
    )
