"""Whatever a network does, its updates are those of plain autograd, or it is refused with a sentence."""

import copy
import warnings
from dataclasses import astuple

import numpy as np
import pytest
import torch
from torch import nn

from tests.processes.foreign import CLASSES, IMAGES, REFUSED, TOKENS
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.objectives import make_supervised_objective
from unlearn_gym.processes.common.statistics import has_batch_norm, normalise_by_batch
from unlearn_gym.processes.gradients.per_example import PerExampleGradients
from unlearn_gym.processes.stacked.choice import NotStackable, make_stack
from unlearn_gym.processes.supervised import SupervisedProcess, brier_error

LR = 0.2
NETWORKS = IMAGES | TOKENS
WAYS = {
    "fresh": {},
    "likelihood, lagged": {"objective": "likelihood", "state": "lagged"},
    "no norms": {"grad_norms": False},
    "direct": {"gradients": "direct"},
    "direct, lagged": {"gradients": "direct", "state": "lagged"},
}


def data(tokens):
    generator = torch.Generator().manual_seed(0)
    parts = []
    for size in (20, 13, 4, 4):
        inputs = torch.randn(size, 1, 8, 8, generator=generator)
        if tokens:
            inputs = torch.randint(5, (size, 6), generator=generator)
        parts.append(LabelledSet(inputs, torch.randint(CLASSES, (size,), generator=generator)))
    return UnlearningData("random", *parts, num_classes=CLASSES)


def build(name):
    with seeded_weights(0), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the old weight_norm
        return NETWORKS[name]()


def process(model, *, tokens=False, objective="linear", **settings):
    defaults = {"batch_size": 12, "optimizer": "sgd", "learning_rate": LR, "max_grad_norm": 1e9}
    defaults |= {"state": "fresh", "grad_norms": True, "device": torch.device("cpu"), "dtype": torch.float64}
    form = make_supervised_objective(objective)
    return SupervisedProcess(model, data(tokens), objective=form, **(defaults | settings))


class Plain:
    """The same network moved by plain autograd, each side passed once and by itself."""

    def __init__(self, name, objective):
        self.model, self.objective = build(name).double().eval(), objective
        if has_batch_norm(self.model):
            normalise_by_batch(self.model)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]

    def sides(self, batch):
        """Return loss and gradient of each side."""
        found = []
        for part, turn in zip(batch, (lambda e: e, self.objective.forget_error), strict=True):
            outputs = self.model(part.inputs)
            outputs = getattr(outputs, "logits", outputs)
            loss = turn(brier_error(outputs, part.labels)).mean()
            gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
            pairs = zip(self.parameters, gradients, strict=True)
            dense = [
                torch.zeros_like(p) if g is None else (g.to_dense() if g.is_sparse else g) for p, g in pairs
            ]
            found.append((float(loss.detach()), dense))
        return found

    def signals(self, batch):
        """Return losses and norms of a batch, and leave the statistics as they are."""
        before = [buffer.clone() for buffer in self.model.buffers()]
        (retain, g_retain), (forget, g_forget) = self.sides(batch)
        for buffer, old in zip(self.model.buffers(), before, strict=True):
            buffer.data.copy_(old)
        norms = (float(torch.cat([g.flatten() for g in side]).norm()) for side in (g_retain, g_forget))
        return (retain, forget, *norms)

    def update(self, batch, lam):
        (_, g_retain), (_, g_forget) = self.sides(batch)
        with torch.no_grad():
            for p, a, b in zip(self.parameters, g_retain, g_forget, strict=True):
                p -= LR * (a - lam * b)


def equal_tensors(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.detach(), b.detach(), rtol=1e-7, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.*performance drop")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_moves_as_plain_autograd(name, way):
    made = process(build(name), tokens=name in TOKENS, **WAYS[way])
    plain = Plain(name, made.objective)
    made.reset(np.random.default_rng(0))
    for lam in (0.3, 0.9, 0.0, 0.5):
        if made.fresh and made.grad_norms:
            assert astuple(made.observe()) == pytest.approx(plain.signals(made.batch), rel=1e-7, abs=1e-10)
        plain.update(made.batch, lam)
        assert not made.update(lam).diverged
        equal_tensors(made.model.parameters(), plain.model.parameters())
        equal_tensors(made.model.buffers(), plain.model.buffers())


@pytest.mark.filterwarnings("ignore:.*performance drop")
@pytest.mark.parametrize("name", NETWORKS)
def test_stack_is_right_or_refused(name):
    tokens = name in TOKENS
    try:
        stack = make_stack(process(build(name), tokens=tokens), 2)
    except NotStackable:
        assert name in UNSTACKABLE
        return
    assert name not in UNSTACKABLE
    single = process(build(name), tokens=tokens)
    single.reset(np.random.default_rng(3))
    stack.restart({i: stack.start(np.random.default_rng(3)) for i in range(2)})
    for lam in (0.3, 0.9):
        single.update(lam)
        stack.update((lam, lam))
        assert astuple(stack.signals[1]) == pytest.approx(astuple(single.observe()), rel=1e-7, abs=1e-10)
        assert astuple(stack.quality(1)) == pytest.approx(astuple(single.quality()), rel=1e-7, abs=1e-10)
        torch.testing.assert_close(stack.weights[1].detach(), single._weights.detach(), rtol=1e-7, atol=1e-10)


UNSTACKABLE = {
    "transformer",
    "attention",
    "GRU",
    "LSTM",
    "channels last",
    "some rows",
    "energy",
    "checkpointed",
}
UNSTACKABLE |= {"backward hook", "parameter hook", "padding index", "tied embedding"}
UNSTACKABLE |= {"sparse", "sparse beside others"}
"""What PyTorch cannot map over copies, and (second line) what it maps, but wrongly."""


@pytest.mark.parametrize("state", ["fresh", "lagged"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_sentence(name, state):
    make, sentence = REFUSED[name]
    with pytest.raises(UserError, match=sentence):
        made = process(make(), state=state)
        made.reset(np.random.default_rng(0))
        made.update(0.5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_choice(name, dtype):
    """The fast ways are taken where they are right, and nowhere else; rounding is no reason."""
    made = process(build(name), tokens=name in TOKENS, dtype=dtype)
    made.reset(np.random.default_rng(0))
    assert (type(made._side_gradients) is PerExampleGradients) == (name in RECORDED)


RECORDED = {
    "plain",
    "linear",
    "LayerNorm",
    "dropout",
    "twice",
    "part frozen",
    "logits",
    "embedding",
    "sparse",
}
RECORDED |= {
    "channels last",
    "channels last weights",
    "forward pre-hook",
    "backward hook",
    "checkpointed",
    "some rows",
}


def test_frozen_later():
    made = process(nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES)))
    made.reset(np.random.default_rng(0))
    made.model[1].bias.requires_grad_(False)
    with pytest.raises(UserError, match="were frozen after"):
        made.update(0.5)


def test_a_network_of_one_layer():
    model = nn.Linear(64, CLASSES)
    flat = copy.deepcopy(model)
    assert process(nn.Sequential(nn.Flatten(), flat)).reset(np.random.default_rng(0)).finite
