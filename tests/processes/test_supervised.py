"""The supervised process: exact gradients, and running statistics that follow updates and nothing else."""

import copy

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss
from torch import nn

from unlearn_gym.data.sets.classes import class_unlearning
from unlearn_gym.errors import UserError
from unlearn_gym.models.networks import make_network
from unlearn_gym.objectives import make_supervised_objective
from unlearn_gym.processes.supervised import SupervisedProcess, brier_error, squared_error

DATA = class_unlearning("digits", fraction=0.3)


def process(objective="linear", **changes):
    settings = {
        "batch_size": 16,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "max_grad_norm": 1e9,
        "state": "fresh",
        "grad_norms": True,
        "device": torch.device("cpu"),
        "dtype": torch.float64,
        **changes,
    }
    form = make_supervised_objective(objective)
    return SupervisedProcess(make_network("small_cnn", 1, 10, 0), DATA, objective=form, **settings)


def started(*args, **changes):
    made = process(*args, **changes)
    return made, made.reset(np.random.default_rng(0))


def tensors(made):
    return [t.clone() for t in made.model.state_dict().values()]


def equal(first, second):
    return all(map(torch.equal, first, second))


def by_hand(made, objective, lam):
    """Return loss and gradient of one minibatch by plain autograd, and the statistics it leaves behind."""
    model = make_network("small_cnn", 1, 10, 0).double().train()
    retain, forget = made.batch
    wanted = brier_error(model(retain.inputs), retain.labels).mean()
    unwanted = brier_error(model(forget.inputs), forget.labels)
    if objective == "likelihood":
        unwanted = torch.log(1 - 0.9 * torch.exp(-unwanted / 0.5))
    loss = wanted - lam * unwanted.mean()
    return float(loss.detach()), torch.autograd.grad(loss, list(model.parameters())), list(model.buffers())


@pytest.mark.parametrize("objective", ["linear", "likelihood"])
@pytest.mark.parametrize("changes", [{}, {"grad_norms": False}, {"state": "lagged"}])
def test_an_update_is_one_plain_step(objective, changes):
    made, _ = started(objective, **changes)
    before = [p.detach().clone() for p in made.model.parameters()]
    loss, gradient, buffers = by_hand(made, objective, 0.4)
    update = made.update(0.4)
    assert update.loss == pytest.approx(loss)
    for old, new, g in zip(before, made.model.parameters(), gradient, strict=True):
        torch.testing.assert_close(new.detach(), old - 0.1 * g)
    for found, expected in zip(made.model.buffers(), buffers, strict=True):
        torch.testing.assert_close(found, expected)


def test_without_batch_norm_both_sides_share_a_pass_and_the_update_is_the_same():
    with torch.random.fork_rng(devices=[]):
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    settings = {"batch_size": 16, "optimizer": "sgd", "learning_rate": 0.1, "max_grad_norm": 1e9}
    for state, grad_norms in (("fresh", True), ("fresh", False), ("lagged", True)):
        copied = copy.deepcopy(model)
        made = SupervisedProcess(
            copied,
            DATA,
            objective=make_supervised_objective("likelihood"),
            state=state,
            grad_norms=grad_norms,
            device=torch.device("cpu"),
            dtype=torch.float64,
            **settings,
        )
        made.reset(np.random.default_rng(0))
        retain, forget = made.batch
        unwanted = torch.log(1 - 0.9 * torch.exp(-brier_error(model(forget.inputs), forget.labels) / 0.5))
        loss = brier_error(model(retain.inputs), retain.labels).mean() - 0.4 * unwanted.mean()
        gradient = torch.autograd.grad(loss, list(model.parameters()))
        assert made.update(0.4).loss == pytest.approx(float(loss.detach()))
        for old, new, g in zip(model.parameters(), copied.parameters(), gradient, strict=True):
            torch.testing.assert_close(new.detach(), old.detach() - 0.1 * g)


def test_signals_are_losses_and_norms_of_the_next_batch():
    made, signals = started()
    loss, gradient, _ = by_hand(made, "linear", 0.0)
    assert signals.retain_loss == pytest.approx(loss)
    norm = torch.cat([g.flatten() for g in gradient]).norm()
    assert signals.retain_grad_norm == pytest.approx(float(norm))


def test_fresh_and_lagged_states_walk_the_same_path():
    fresh, lagged, bare = started()[0], started(state="lagged")[0], started(grad_norms=False)[0]
    for lam in (0.2, 0.9, 0.0):
        updates = [made.update(lam) for made in (fresh, lagged, bare)]
        assert updates[1].loss == pytest.approx(updates[0].loss)
        assert updates[2].loss == pytest.approx(updates[0].loss)
    for other in (lagged, bare):
        for a, b in zip(tensors(fresh), tensors(other), strict=True):
            torch.testing.assert_close(a, b)


def test_each_side_is_passed_once_and_whole():
    made, _ = started()
    sizes = []
    made.model.register_forward_hook(lambda module, inputs, output: sizes.append(len(inputs[0])))
    for _ in range(3):
        made.update(0.5)
        made.observe()
    assert sizes == [8, 8] * 3


def test_observing_and_probing_change_nothing():
    made, _ = started()
    before = tensors(made)
    made.observe()
    made.quality()
    assert equal(before, tensors(made))


def test_undo_takes_weights_and_statistics_back():
    made, _ = started()
    made.update(0.5)
    before = tensors(made)
    made.update(0.5)
    assert not equal(before, tensors(made))
    made.undo()
    assert equal(before, tensors(made))


def test_a_diverged_update_leaves_statistics_alone():
    made, _ = started(learning_rate=float("inf"))
    before = tensors(made)
    assert made.update(0.5).diverged
    assert equal(before, tensors(made))


def test_goes_on_where_it_was_saved():
    made, other = started()[0], process()
    other.reset(np.random.default_rng(7))
    made.update(0.3)
    other.load_state_dict(made.state_dict())
    for lam in (0.1, 0.8):
        assert made.update(lam) == other.update(lam)
    assert equal(tensors(made), tensors(other))


def test_single_examples_and_batch_norm_do_not_go_together():
    with pytest.raises(UserError, match="at least 4"):
        process(batch_size=2)


def test_errors_against_scikit_learn_and_by_hand():
    logits, labels = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 3
    expected = brier_score_loss(labels.numpy(), logits.softmax(1).numpy(), scale_by_half=False)
    assert float(brier_error(logits, labels).mean()) == pytest.approx(expected, rel=1e-5)
    found = squared_error(torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]]))
    assert found.tolist() == [5.0, 2.0]


def test_mixed_passes_take_nearly_the_same_step_from_weights_of_full_precision():
    moved = []
    for precision in ("float32", "bfloat16"):
        made, signals = started("linear", dtype=torch.float32, precision=precision)
        before = torch.cat([p.detach().flatten() for p in made.parameters])
        assert made.quality() == started("linear", dtype=torch.float32)[0].quality()
        made.update(0.3)
        after = torch.cat([p.detach().flatten() for p in made.parameters])
        assert after.dtype == torch.float32
        moved.append((signals, after - before))
    (exact, one), (rounded, other) = moved
    assert not torch.equal(one, other) and torch.cosine_similarity(one, other, dim=0) > 0.99
    assert rounded.retain_loss != exact.retain_loss
    assert rounded.retain_loss == pytest.approx(exact.retain_loss, rel=0.02)


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match="float32 or bfloat16"):
        process(precision="float16")
