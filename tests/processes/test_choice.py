"""How a network's gradients are computed."""

import math
from dataclasses import astuple

import numpy as np
import pytest
import torch
from torch import nn

from tests.processes.small import small_process
from unlearn_gym.errors import UserError
from unlearn_gym.objectives.base import Combination
from unlearn_gym.processes.gradients import choice, record
from unlearn_gym.processes.gradients.blocks import BlockGradients
from unlearn_gym.processes.gradients.direct import DirectGradients
from unlearn_gym.processes.gradients.few_rows import FewRowGradients
from unlearn_gym.processes.gradients.passes import PassedGradients
from unlearn_gym.processes.gradients.per_example import PerExampleGradients
from unlearn_gym.processes.stacked.choice import NotStackable, make_stack


def chosen(process):
    process._new_gradients = None
    process.reset(np.random.default_rng(0))
    return process._side_gradients


def test_rule_of_sizes(monkeypatch):
    process = small_process()
    assert type(chosen(process)) is PerExampleGradients
    monkeypatch.setattr(choice, "SMALL_ROW", 10)
    assert type(chosen(process)) is BlockGradients
    monkeypatch.setattr(choice, "HEAVY", 0)
    assert type(chosen(process)) is FewRowGradients  # many weights beside what a row puts out
    lagged = small_process(state="lagged")
    lagged.reset(np.random.default_rng(0))
    assert type(lagged._open_gradients()) is PassedGradients
    assert type(chosen(small_process(objective="weighted"))) is PassedGradients  # its sums serve every λ
    monkeypatch.setattr(choice, "LARGEST_RECORD", 10)
    assert type(chosen(process)) is PassedGradients


def test_the_way_is_looked_for_once_for_each_size():
    process = small_process()
    process.reset(np.random.default_rng(0))
    found, pairs = process._new_gradients, process.pairs
    process.set_budget(2 * pairs, 1e-3)
    process.reset(np.random.default_rng(0))
    assert process._new_gradients is found and process.learning_rate == 1e-3
    process.set_budget(4 * pairs, 1e-3)
    process.reset(np.random.default_rng(0))
    assert process._side_gradients.pairs == 2 * pairs


def test_unknown_layers_are_passed():
    process = small_process()
    process.model.conv_in.padding_mode = "circular"
    assert isinstance(chosen(process), PassedGradients)


def test_saturated_rows_need_no_second_pass():
    process = small_process(labels="different")
    gradients = chosen(process)
    gradients.weigh(process.objective.weights(0.7, process.draw))
    assert len(gradients._records) == 1


def test_few_rows_pass_only_what_is_needed():
    process = small_process(labels="none")
    process.reset(np.random.default_rng(0))
    kind = (process.errors, process.parameters, process.pairs, record.trained_layers(process.model))
    gradients, weights = FewRowGradients(*kind), process.objective.weights(0.3, process.draw)
    gradients.observe(lambda lam: process.objective.weights(lam, process.draw), 0.5)
    gradients.weigh(weights)
    own, crossing = (entries for entries, _ in gradients._records)
    assert len(own) == 10
    assert len(crossing) == int((weights.retain[5:] != 0).sum() + (weights.forget[:5] != 0).sum())


def test_passes_leave_what_waits_for_gradients_alone():
    """An optimizer that steps within the backward pass would move the weights behind the process's back."""
    process = small_process(gradients="direct")
    weight = process.parameters[0]
    weight.grad, called = torch.ones_like(weight), []
    weight.register_post_accumulate_grad_hook(called.append)
    process.reset(np.random.default_rng(0))
    process.update(0.5)
    assert not called and torch.equal(weight.grad, torch.ones_like(weight))
    weight.sum().backward()
    assert len(called) == 1


@pytest.mark.parametrize("state", ["fresh", "lagged"])
def test_numbers_of_an_update_that_diverged_are_finite(state):
    """Whoever logs ``info["loss"]`` or averages it would carry the NaN on."""
    process = small_process(state=state)
    process.reset(np.random.default_rng(0))
    process.objective.combine = lambda lam, parts: Combination(1.0, math.nan, 1.0, math.nan, math.inf)
    update = process.update(0.5)
    assert update.diverged and all(map(math.isfinite, astuple(update)))


def test_batch_norm_without_parameters_mixes_rows():
    """Tried on a single row of each side, such a network would only raise an error."""
    norm = nn.BatchNorm1d(3, affine=False, track_running_stats=False)
    model = nn.Sequential(nn.Linear(2, 3), norm).eval()
    assert record.row_size(model, lambda rows: model(torch.ones(1, 2)), torch.arange(2)) is None


def test_replaced_parameters_are_refused():
    """A silent update of weights that nobody looks at would be worse than an error."""
    process = small_process()
    process.reset(np.random.default_rng(0))
    process.model.conv_in.weight.data = process.model.conv_in.weight.data.clone()
    with pytest.raises(UserError, match="parameters were replaced"):
        process.update(0.5)


def test_named_gradients():
    process = small_process(gradients="direct")
    assert type(chosen(process)) is DirectGradients
    with pytest.raises(NotStackable, match="leave gradients= out"):
        make_stack(process, 2)
    with pytest.raises(UserError, match="gradients='naive' is not known; choose auto or direct"):
        small_process(gradients="naive")
