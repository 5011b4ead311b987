"""Passes of banks of 10 rows, counted by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.processes.reference import small_process
from unlearn_gym.metrics.cost import PassCounter
from unlearn_gym.processes.passed_bank import PassedBank
from unlearn_gym.processes.tape import ROUND
from unlearn_gym.processes.taped_bank import TapedBank

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


def counted(bank, state, labels="different", **settings):
    """Return the rows of one update, and the weights that it was made with."""
    process = small_process(labels=labels, state=state, **settings)
    if bank is PassedBank:
        process.model.conv_in.padding_mode = "circular"  # a layer that tapes do not know
    process.reset(np.random.default_rng(0))
    process.update(LAMBDA)  # the first bank tries two rows
    process.observe()
    assert isinstance(process._open_bank(), bank)
    weights = process.objective.weights(LAMBDA, process.draw)
    with PassCounter(process.model) as passes:
        process.update(LAMBDA)
        process.observe()
    return (passes.forward_rows, passes.backward_rows), weights


def rows(count, bank):
    """Tapes take a multiple of four rows."""
    return -(-count // ROUND) * ROUND if bank is TapedBank else count


@pytest.mark.parametrize("bank", [TapedBank, PassedBank])
def test_saturated_weights(bank):
    # Lagged: each pair's chosen latent once. Fresh: the state takes all ten, and the update is read from them.
    assert counted(bank, "lagged")[0] == (rows(5, bank),) * 2
    assert counted(bank, "fresh")[0] == (rows(10, bank),) * 2


@pytest.mark.parametrize("bank", [TapedBank, PassedBank])
def test_overlapping_weights(bank):
    # A latent with a gradient towards both targets is two rows of a tape, or one row with two backward passes.
    passes, weights = counted(bank, "lagged", labels="none")
    retain, forget = weights.retain != 0, weights.forget != 0
    entries = int(retain.sum() + forget.sum())
    assert entries > 5
    assert passes == (
        rows(entries if bank is TapedBank else int((retain | forget).sum()), bank),
        rows(entries, bank),
    )


def test_losses_without_gradients_are_forward_rows():
    assert counted(TapedBank, "fresh", grad_norms=False)[0] == (10 + rows(5, TapedBank), rows(5, TapedBank))
