"""The harness that runs update rules."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from unlearn_gym.data import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.benchmark.protocol import Protocol, seeded_globals, unlearn
from unlearn_gym.methods import make_method

CPU = torch.device("cpu")


@pytest.fixture
def data():
    """21 retain images of classes 1 and 2, 5 forget images of class 0; each pixel is the image's number."""
    images = torch.arange(26.0).reshape(26, 1, 1, 1).expand(26, 1, 4, 4) / 26
    retain = LabelledSet(images[:21], 1 + torch.arange(21) % 2)
    forget = LabelledSet(images[21:], torch.zeros(5, dtype=torch.int64))
    return UnlearningData("toy", retain, forget, retain, forget, num_classes=3)


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


class Recorder:
    """Takes down what it is given; draws from every global generator."""

    def __init__(self):
        self.calls, self.draws = [], []

    def unlearn_step(self, model, retain_batch, forget_batch, optimizer, step, epoch):
        self.calls.append((model.training, retain_batch, forget_batch, optimizer, step, epoch))
        self.draws.append((random.random(), float(np.random.rand()), float(torch.rand(()))))
        model.eval()
        return {"loss": 1}


def test_epochs_steps_batches_and_optimizer(data):
    protocol, method = Protocol(epochs=3, batch_size=8), Recorder()
    run = unlearn(method, "mine", network(), data, protocol, 42, CPU)
    assert protocol.steps_per_epoch(data) == 3 and protocol.steps(data) == 9
    training, retain, forget, optimizers, steps, epochs = zip(*method.calls, strict=True)
    assert all(training)
    assert [len(labels) for _, labels in retain] == [8] * 9
    assert [len(labels) for _, labels in forget] == [8] * 9
    assert steps == tuple(range(9)) and epochs == (0, 0, 0, 1, 1, 1, 2, 2, 2)
    (optimizer,) = set(optimizers)
    assert type(optimizer) is torch.optim.Adam and optimizer.param_groups[0]["lr"] == 1e-3
    assert len(optimizer.param_groups[0]["params"]) == len(list(run.model.parameters()))
    seen = torch.cat([images[:, 0, 0, 0] for images, _ in retain])[:21]
    assert torch.equal(seen.sort().values, data.retain.inputs[:, 0, 0, 0])
    assert run.losses == [1.0] * 9 and len(run.seconds) == 9


def test_a_seed_repeats_and_the_original_stays(data):
    original = network()
    before = [p.detach().clone() for p in original.parameters()]
    runs = [
        unlearn(make_method("salun"), "salun", original, data, Protocol(2, 8, pad=1), s, CPU)
        for s in (1, 1, 2)
    ]
    assert runs[0].losses == runs[1].losses != runs[2].losses
    same = zip(runs[0].model.parameters(), runs[1].model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    assert all(torch.equal(a, b) for a, b in zip(before, original.parameters(), strict=True))


def test_all_rules_see_the_same_batches(data):
    methods = Recorder(), Recorder()
    methods[1].prepare = lambda model, retain, forget: torch.rand(100)
    for method in methods:
        unlearn(method, "mine", network(), data, Protocol(2, 8, pad=1, mirror=True), 7, CPU)
    for one, other in zip(methods[0].calls, methods[1].calls, strict=True):
        assert torch.equal(one[1][0], other[1][0]) and torch.equal(one[2][0], other[2][0])


def test_global_generators_are_put_back(data):
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    methods = Recorder(), Recorder()
    for method in methods:
        unlearn(method, "mine", network(), data, Protocol(1, 8), 3, CPU)
    assert methods[0].draws == methods[1].draws
    assert random.getstate() == state[0]
    assert np.array_equal(np.random.get_state()[1], state[1][1])
    assert torch.equal(torch.get_rng_state(), state[2])
    with pytest.raises(RuntimeError), seeded_globals(0):
        raise RuntimeError
    assert random.getstate() == state[0]


def test_prepare_sees_each_set_once(data):
    class Prepared(Recorder):
        def prepare(self, model, retain_batches, forget_batches):
            self.sizes = [[len(y) for _, y in batches] for batches in (retain_batches, forget_batches)]

    method = Prepared()
    unlearn(method, "mine", network(), data, Protocol(1, 8, pad=1), 0, CPU)
    assert method.sizes == [[8, 8, 5], [5]]


def test_a_step_that_breaks_the_contract(data):
    class Bad:
        def unlearn_step(self, model, retain_batch, forget_batch, optimizer, step, epoch):
            return 0.5

    with pytest.raises(UserError, match=r"mine.*float.*loss"):
        unlearn(Bad(), "mine", network(), data, Protocol(1, 8), 0, CPU)


def test_mixed_passes_leave_a_network_of_the_same_names_in_float32(data):
    full, mixed = (
        unlearn(make_method("demote"), "demote", network(), data, Protocol(2, 8, precision=p), 1, CPU).model
        for p in ("float32", "bfloat16")
    )
    assert type(mixed) is type(full) and list(mixed.state_dict()) == list(full.state_dict())
    one, other = (torch.cat([w.flatten() for w in m.parameters()]) for m in (full, mixed))
    assert other.dtype == torch.float32 and not torch.equal(one, other)
    assert (one - other).norm() < 0.02 * one.norm()
