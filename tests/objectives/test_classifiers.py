"""The objectives on cross entropies: their closed forms, and what the original network says."""

import math
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, softplus

from tests.processes.test_foreign_networks import build, data
from tests.processes.test_foreign_networks import process as supervised
from unlearn_gym.errors import UserError
from unlearn_gym.objectives import SUPERVISED_OBJECTIVES, make_supervised_objective
from unlearn_gym.objectives.classifiers.base import CrossEntropyObjective
from unlearn_gym.objectives.classifiers.demote import Demote
from unlearn_gym.objectives.classifiers.preference import ClassifierDiPO
from unlearn_gym.objectives.classifiers.probability import ClassifierFLAT
from unlearn_gym.objectives.emse import LinearEMSE
from unlearn_gym.objectives.penalties import DIVERGENCES, demoted, f_divergence, preferred
from unlearn_gym.processes.supervised import SupervisedProcess

NAMES = [
    name
    for name in SUPERVISED_OBJECTIVES
    if isinstance(make_supervised_objective(name), CrossEntropyObjective)
]


def logits(seed, n=6, classes=4):
    return torch.randn(n, classes, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_demotion_is_a_divergence_that_the_renormalised_teacher_ends():
    teacher, labels = logits(0), torch.tensor([0, 1, 2, 3, 0, 1])
    q = demoted(teacher, labels)
    student = logits(1)
    found = Demote().penalty(student, labels, teacher)
    wanted = kl_div(student.log_softmax(1), q, reduction="none").sum(1)
    assert torch.allclose(found, wanted)
    assert torch.allclose(
        Demote().penalty(q.clamp_min(1e-300).log(), labels, teacher), torch.zeros(6, dtype=torch.float64)
    )


def test_demotions_gradient_at_the_start_is_ce_us():
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    z = logits(0).requires_grad_()
    own = torch.autograd.grad(Demote().penalty(z, labels, z.detach()).sum(), z)[0]
    running = torch.autograd.grad((-(demoted(z, labels) * z.log_softmax(1)).sum(1)).sum(), z)[0]
    assert torch.allclose(own, running)


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_flat_is_the_mean_over_the_templates_that_its_rule_draws(divergence):
    z, labels = logits(2), torch.tensor([0, 1, 2, 3, 0, 1])
    chances = z.softmax(1)
    for row, label in enumerate(labels.tolist()):
        drawn = [
            f_divergence(divergence, chances[row, t], chances[row, label]) for t in range(4) if t != label
        ]
        found = ClassifierFLAT(divergence=divergence).penalty(z, labels, z)[row]
        assert float(found) == pytest.approx(float(sum(drawn)) / 3, rel=1e-12)


def test_dipos_margin_is_that_of_the_log_probabilities_and_starts_at_zero():
    before, z, labels = logits(3), logits(4), torch.tensor([0, 1, 2, 3, 0, 1])
    wins, loses = preferred(before, 1)
    margin = ((wins - loses) * (z.log_softmax(1) - before.log_softmax(1))).sum(1)  # normalisers cancel
    found = ClassifierDiPO(beta=0.3).penalty(z, labels, before)
    assert torch.allclose(found, 2 / 0.3 * softplus(-0.3 * margin), rtol=1e-12)
    at_start = ClassifierDiPO(beta=0.3).penalty(before, labels, before)
    assert torch.allclose(at_start, torch.full((6,), 2 / 0.3 * math.log(2), dtype=torch.float64))


def test_gce_reaches_from_ascent_to_one_minus_p_and_no_further():
    z, labels = logits(2), torch.tensor([0, 1, 2, 3, 0, 1])
    true = z.softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
    for q, wanted in ((1, true - 1), (0.7, (true**0.7 - 1) / 0.7), (1e-9, true.log())):
        assert torch.allclose(make_supervised_objective("gce", q=q).penalty(z, labels, z), wanted)
    for q in (0, 1.1, math.nan):
        with pytest.raises(UserError, match="q="):
            make_supervised_objective("gce", q=q)


@pytest.mark.parametrize("keywords", [{"divergence": "hellinger"}, {"divergence": 1}])
def test_an_unknown_divergence_is_refused(keywords):
    with pytest.raises(UserError, match="divergence"):
        make_supervised_objective("flat", **keywords)


def test_moving_all_logits_alike_would_forget_nothing_in_silence():
    with pytest.raises(UserError, match="all 4 classes alike"):
        ClassifierDiPO(top=4).penalty(logits(0), torch.tensor([0, 1, 2, 3, 0, 1]), logits(1))


@pytest.mark.parametrize("keywords", [{"beta": 0}, {"top": 0}, {"top": 1.5}])
def test_what_dipo_cannot_mean_is_refused(keywords):
    with pytest.raises(UserError, match=next(iter(keywords))):
        make_supervised_objective("dipo", **keywords)


@pytest.mark.parametrize("name", NAMES)
def test_the_state_shows_the_two_losses_and_progress_the_brier_scores(name):
    made = supervised(build("plain"), objective=name)
    reference = supervised(build("plain"), objective="linear")
    signals = made.reset(np.random.default_rng(0))
    reference.reset(np.random.default_rng(0))
    retain, forget = made.batch
    with torch.no_grad():
        kept, lost = made.model(retain.inputs), made.model(forget.inputs)
    assert signals.retain_loss == pytest.approx(float(cross_entropy(kept, retain.labels)))
    assert signals.forget_loss == pytest.approx(
        float(made.objective.penalty(lost, forget.labels, lost).mean())
    )
    assert made.quality() == reference.quality()


@pytest.mark.parametrize("name", NAMES)
def test_the_original_network_stays_what_it_was(name):
    made = supervised(build("plain"), objective=name)
    made.reset(np.random.default_rng(0))
    if not made.objective.needs_original:
        return
    inputs, labels = made.batch[1].inputs, made.batch[1].labels
    with torch.no_grad():
        before = made.model(inputs)
    for _ in range(3):
        made.update(0.5)
    assert torch.equal(made.ask_original(inputs, labels), before)
    assert not torch.equal(made.model(inputs), before)


def test_a_regression_has_no_classes_to_demote():
    with pytest.raises(UserError, match="objective of classifiers"):
        SupervisedProcess(
            build("plain"),
            replace(data(tokens=False), num_classes=0),
            objective=Demote(),
            batch_size=12,
            optimizer="sgd",
            learning_rate=0.1,
            max_grad_norm=1.0,
            state="fresh",
            grad_norms=True,
            device=torch.device("cpu"),
            dtype=torch.float64,
        )


class Asks(LinearEMSE):
    """An objective of one's own that asks the original fit of a regression."""

    needs_original = True


def test_the_original_follows_the_problem_that_a_reset_draws():
    env = gymnasium.make("unlearn_gym/EMSE-Polynomial-v0", objective=Asks(), draw=None).unwrapped
    for seed in (0, 1, 2):
        env.reset(seed=seed)
        inputs, labels = env.process.batch[1].inputs, env.process.batch[1].labels
        with torch.no_grad():
            assert torch.equal(env.process.ask_original(inputs, labels), env.process.model(inputs))
        env.step(np.array([0.5], dtype=np.float32))
