"""Passes of minibatches of 10 rows, counted by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.processes.small import small_process
from unlearn_gym.metrics.cost import PassCounter
from unlearn_gym.processes.gradients.passes import PassedGradients
from unlearn_gym.processes.gradients.per_example import PerExampleGradients
from unlearn_gym.processes.gradients.record import ROUND

LAMBDA = 0.5


def test_a_plain_network():
    network = torch.nn.Linear(3, 2)
    with PassCounter(network) as passes:
        network(torch.ones(5, 3)).sum().backward()
        with torch.no_grad():
            network(input=torch.ones(4, 3))
        loss = network(torch.ones(2, 3)).sum()
        loss.backward(retain_graph=True)
        loss.backward()
    network(torch.ones(7, 3)).sum().backward()
    assert (passes.forward_rows, passes.backward_rows) == (5 + 4 + 2, 5 + 2 + 2)


def test_several_networks_are_counted_together():
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(2, 2)
    with PassCounter(one, other) as passes:
        other(one(torch.ones(5, 3))).sum().backward()
    assert (passes.forward_rows, passes.backward_rows) == (10, 10)


@pytest.mark.parametrize(
    "form",
    [
        lambda outputs: SimpleNamespace(logits=outputs),
        lambda outputs: {"logits": outputs},
        lambda outputs: (outputs, "more"),
        lambda outputs: SimpleNamespace(sample=outputs),
    ],
    ids=["logits", "dictionary", "tuple", "sample"],
)
def test_a_network_with_outputs_of_another_form(form):
    network = torch.nn.Linear(3, 2)
    network.forward = lambda inputs, plain=network.forward: form(plain(inputs))
    with PassCounter(network) as passes:
        found = network(torch.ones(5, 3))
        outputs = found if isinstance(found, tuple) else tuple(getattr(found, "__dict__", found).values())
        outputs[0].sum().backward()
    assert (passes.forward_rows, passes.backward_rows) == (5, 5)


def counted(kind, state, labels="different", **settings):
    """Return the rows of one update, and the weights that it was made with."""
    process = small_process(labels=labels, state=state, **settings)
    if kind is PassedGradients:
        process.model.conv_in.padding_mode = "circular"  # a layer that records do not know
    process.reset(np.random.default_rng(0))
    process.update(LAMBDA)  # the rule of choice tries two rows
    process.observe()
    assert isinstance(process._open_gradients(), kind)
    weights = process.objective.weights(LAMBDA, process.draw)
    with PassCounter(process.model) as passes:
        process.update(LAMBDA)
        process.observe()
    return (passes.forward_rows, passes.backward_rows), weights


def rows(count, kind):
    """Records take a multiple of four rows."""
    return -(-count // ROUND) * ROUND if kind is PerExampleGradients else count


@pytest.mark.parametrize("kind", [PerExampleGradients, PassedGradients])
def test_saturated_weights(kind):
    # Lagged: each pair's chosen latent once. Fresh: the state takes all ten, and the update is read from them.
    assert counted(kind, "lagged")[0] == (rows(5, kind),) * 2
    assert counted(kind, "fresh")[0] == (rows(10, kind),) * 2


@pytest.mark.parametrize("kind", [PerExampleGradients, PassedGradients])
def test_overlapping_weights(kind):
    # A latent with a gradient towards both targets is two rows of a record, or one row with two backward passes.
    passes, weights = counted(kind, "lagged", labels="none")
    retain, forget = weights.retain != 0, weights.forget != 0
    entries = int(retain.sum() + forget.sum())
    assert entries > 5
    assert passes == (
        rows(entries if kind is PerExampleGradients else int((retain | forget).sum()), kind),
        rows(entries, kind),
    )


def test_losses_without_gradients_are_forward_rows():
    assert counted(PerExampleGradients, "fresh", grad_norms=False)[0] == (
        10 + rows(5, PerExampleGradients),
        rows(5, PerExampleGradients),
    )
