"""Every way to the two gradients returns the numbers of the reference."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.processes.small import assert_same_updates, small_process
from tests.processes.test_foreign_networks import build
from tests.processes.test_foreign_networks import process as supervised
from unlearn_gym.objectives import DIFFUSION_OBJECTIVES, SUPERVISED_OBJECTIVES
from unlearn_gym.objectives.base import Weights
from unlearn_gym.objectives.two_gradients import RULES
from unlearn_gym.processes.common.flat import joined
from unlearn_gym.processes.gradients import record
from unlearn_gym.processes.gradients.blocks import BlockGradients
from unlearn_gym.processes.gradients.few_rows import FewRowGradients
from unlearn_gym.processes.gradients.passes import PassedGradients
from unlearn_gym.processes.gradients.per_example import PerExampleGradients

LAMBDAS = (0.5, 0.1, 0.0, 0.9, 1.0)
ACCELERATORS = {
    "per example": lambda p: PerExampleGradients(
        p.errors, p.parameters, p.pairs, record.trained_layers(p.model)
    ),
    "few rows": lambda p: FewRowGradients(p.errors, p.parameters, p.pairs, record.trained_layers(p.model)),
    "blocks": lambda p: BlockGradients(p.errors, p.parameters, p.pairs, record.trained_layers(p.model)),
    "passed": lambda p: PassedGradients(p.errors, p.parameters, p.pairs),
}
ONE_RULE = [name for name in DIFFUSION_OBJECTIVES if name not in RULES or name == "cagrad"]
"""The rules for two gradients ask for the same gradients and differ in numbers only."""

CASES = [(name, "norm") for name in ONE_RULE] + [("siss", "coef")]
WAYS = [(*case, way) for case in CASES for way in ACCELERATORS if case[0] != "dpo" or way == "passed"]
"""No record is made of rows that ``dpo`` couples."""


@pytest.mark.parametrize(
    "state, grad_norms, labels",
    [
        ("fresh", True, "none"),
        ("fresh", True, "mixed"),
        ("fresh", False, "none"),
        ("lagged", True, "equal"),
        ("lagged", True, "different"),
        ("lagged", False, "none"),
    ],
)
@pytest.mark.parametrize("objective, scaling, way", WAYS)
def test_equal_to_direct(objective, scaling, state, grad_norms, labels, way):
    settings = {
        "objective": objective,
        "hyperparameters": {"forget_scaling": scaling} if objective == "siss" else {},
        "state": state,
        "grad_norms": grad_norms,
        "labels": labels,
    }
    equal_to_direct(small_process, settings, way)


@pytest.mark.parametrize("state", ["fresh", "lagged"])
@pytest.mark.parametrize("objective", SUPERVISED_OBJECTIVES)
@pytest.mark.parametrize("way", ACCELERATORS)
def test_supervised_equal_to_direct(objective, state, way):
    equal_to_direct(
        lambda **kw: supervised(build("plain"), **kw), {"objective": objective, "state": state}, way
    )


def equal_to_direct(make, settings, way):
    fast, slow = make(**settings), make(**settings, gradients="direct")
    fast._new_gradients = lambda: ACCELERATORS[way](fast)
    assert_same_updates(fast, slow, LAMBDAS)


@pytest.mark.parametrize("way", [*ACCELERATORS, "direct"])
def test_any_row_weights(way):
    """Weights that no objective has: negative, dense, and with nothing saturated."""
    process = small_process(gradients="direct" if way == "direct" else "auto")
    process.reset(np.random.default_rng(0))
    parameters, rows = process.parameters, torch.arange(10)
    generator = torch.Generator().manual_seed(0)
    none = torch.zeros(10, dtype=torch.float64)
    weights = [
        Weights(*torch.randn(2, 10, generator=generator, dtype=torch.float64), none[:5]) for _ in range(3)
    ]
    weights.append(Weights(none, none + 1, none[:5]))
    found = process._open_gradients() if way == "direct" else ACCELERATORS[way](process)
    found.observe(lambda lam: process.objective.weights(lam, process.draw), 0.5)
    for w in weights:
        sides = found.weigh(w)
        for sum_, side, weight in zip(vars(sides).values(), (0, 1), (w.retain, w.forget), strict=True):
            naive = torch.autograd.grad((weight * process.errors(rows)[side]).sum(), parameters)
            torch.testing.assert_close(sum_, joined(naive), rtol=1e-8, atol=1e-10)


def test_one_pass_is_the_combination_of_the_sides():
    process = small_process(labels="none")
    process.reset(np.random.default_rng(0))
    weights = process.objective.weights(0.4, process.draw)
    found = PassedGradients(process.errors, process.parameters, 5)
    sides = found.weigh(weights)
    both = found.join(weights).combined(2.0, -0.5)
    torch.testing.assert_close(both, 2 * sides.retain - 0.5 * sides.forget, rtol=1e-8, atol=1e-12)


class Shared(nn.Module):
    """Every kind of layer that a record knows, one of them used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.batch = nn.Conv2d(2, 6, 3, stride=2, padding=1, groups=2), nn.BatchNorm2d(6)
        self.group, self.table = nn.GroupNorm(3, 6), nn.Embedding(4, 6)
        self.twice, self.norm, self.out = nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 1, bias=False)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        hidden = self.group(self.batch(self.conv(images)).relu()) + self.table(labels)[:, :, None, None]
        tokens = hidden.flatten(2).transpose(1, 2)
        return self.out(self.norm(self.twice(self.twice(tokens).tanh()))).flatten(1).square().mean(1)


def test_record_of_every_layer():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Shared().double().eval()
        model.batch.running_mean.uniform_()
        images, weights = torch.randn(5, 2, 6, 6, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    labels = torch.tensor([0, 1, 1, 3, 2])
    parameters = list(model.parameters())
    layers = record.trained_layers(model)
    recorded = record.PerExampleRecord(layers, parameters, lambda: model(images, labels))
    found = recorded.gradient(slice(1, 4), weights)
    expected = torch.autograd.grad((weights * model(images, labels)[1:4]).sum(), parameters)
    torch.testing.assert_close(found, joined(expected))
    expected = torch.autograd.grad(model(images, labels)[[0, 3]].sum(), parameters)
    torch.testing.assert_close(recorded.gradient(torch.tensor([0, 3])), joined(expected))

    def forward(rows):
        return model(images[rows], labels[rows])

    assert record.row_size(model, forward, torch.arange(2)) == 339  # six of 54, 6 and 9
    model.train()  # batch statistics mix the rows
    assert record.row_size(model, forward, torch.arange(2)) is None


def test_no_record_for_operations_in_place_or_mixed_rows():
    in_place = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True))
    nn.init.constant_(in_place[0].weight, -2.0)
    images = torch.ones(2, 1, 3, 3)
    assert None is record.row_size(in_place, lambda rows: in_place(images[rows]), torch.arange(2))
    mixing = nn.Linear(18, 1)
    assert None is record.row_size(
        mixing, lambda rows: mixing(images[rows].expand(2, 2, 3, 3).reshape(1, 36)[:, :18]), torch.arange(2)
    )
    unused = nn.ModuleList([nn.Linear(9, 1), nn.Linear(9, 1)])
    assert None is record.row_size(unused, lambda rows: unused[0](images[rows].flatten(1)), torch.arange(2))
