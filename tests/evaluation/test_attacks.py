"""What is asked of a model besides its samples: diffusion models and classifiers, tiny."""

import copy
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from unlearn_gym.data import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import EvaluatorSettings
from unlearn_gym.evaluation.evaluators import attacks
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.evaluation.evaluators.supervised import SupervisedEvaluator
from unlearn_gym.evaluation.records import Record, load_record, save_record
from unlearn_gym.metrics.attacks import conditions
from unlearn_gym.metrics.attacks.relearning import UPDATES
from unlearn_gym.metrics.attacks.rounding import rounded
from unlearn_gym.metrics.glossary import look_up

from .tiny_diffusion import SETTINGS, own_env

ALL = replace(SETTINGS, relearn=("mixed",), rounding=(4, 8), equal_retain=0.9)
SEED = 3
TOLD = replace(SETTINGS, attack=("condition", "overlap"))
NOTHING = LabelledSet(torch.empty(0, 2), torch.empty(0, dtype=torch.int64))


def wrecked(model):
    """Return a copy none of whose weights is a number."""
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for weight in copied.parameters():
            weight.fill_(torch.nan)
    return copied


def test_a_diffusion_model_is_attacked(task_env, tmp_path):
    evaluator = make_evaluator(task_env, ALL)
    model = evaluator.model()
    before = [p.detach().clone() for p in model.parameters()]
    scores = evaluator.score(model, SEED)
    values = scores.values
    assert all(torch.equal(p, was) for p, was in zip(model.parameters(), before, strict=True))
    assert set(values) == set(evaluator.metrics()) == set(look_up(evaluator.metrics()))
    assert list(scores.details["relearn_mixed"]) == ["0", *map(str, UPDATES)]
    assert scores.details["relearn_mixed"]["0"] == values["concept_rate"]  # 12 samples, fewer than 200
    by_hand = evaluator.measure(evaluator.subject(rounded(model, 4), SEED)).values
    assert values["quantised_balance_4bit"] == by_hand["balance"]
    assert values["quantised_concept_rate_4bit"] == by_hand["concept_rate"]
    path = tmp_path / "record.json"
    save_record(Record("a", 0, values, None, {}, {}, scores.trials, scores.details), path)
    kept = load_record(path)
    assert (kept.details, kept.trials) == (scores.details, scores.trials)
    assert kept.trials["class_accuracy"] == 8 and kept.trials["concept_rate"] == 12


def test_who_keeps_enough_is_compared_as_it_is_and_who_does_not_as_the_original_bit_for_bit(task_env):
    evaluator = make_evaluator(task_env, replace(SETTINGS, equal_retain=1.0))
    original = evaluator.score(evaluator.model(), SEED).values
    assert original["class_accuracy"] > 0
    lost = evaluator.score(wrecked(evaluator.model()), SEED).values
    assert (original["alpha_at_retain"], lost["alpha_at_retain"]) == (1.0, 0.0)
    assert lost["class_accuracy"] == 0
    for name in ("concept_rate", "label_accuracy", "neither_rate"):
        assert original[f"{name}_at_retain"] == lost[f"{name}_at_retain"] == original[name]


def test_an_original_that_knows_nothing_is_no_measure(task_env, monkeypatch):
    evaluator = make_evaluator(task_env, replace(SETTINGS, equal_retain=0.9))
    monkeypatch.setattr(evaluator._attacks._target, "kept", lambda model, seed: 0.0)
    values = evaluator._attacks.measure(evaluator.model(), SEED).values
    assert set(values) <= set(evaluator.metrics()) and all(math.isnan(value) for value in values.values())


def test_the_retrained_model_is_attacked_once_a_seed(task_env, monkeypatch):
    evaluator, calls = make_evaluator(task_env, replace(SETTINGS, relearn=("retain", "mixed"))), []
    monkeypatch.setattr(evaluator._attacks._target, "forgotten", lambda model, seed: 0.5)
    monkeypatch.setattr(
        attacks, "relearn", lambda model, *_: calls.append(model) or ((n, model) for n in UPDATES)
    )
    for model in (evaluator.model(), evaluator.retrained(), evaluator.model()):
        values = evaluator._attacks.measure(model, SEED).values
        assert values["relearn_gap_mixed"] == 0 and values["relearn_auc_retain"] == 1
    assert calls.count(evaluator.retrained()) == 2 and len(calls) == 6


def test_the_gap_is_to_the_retrained_model(task_env, monkeypatch):
    evaluator = make_evaluator(task_env, replace(SETTINGS, relearn=("mixed",)))
    model, retrained = evaluator.model(), evaluator.retrained()
    rate = {model: 0.8, retrained: 0.2}
    monkeypatch.setattr(evaluator._attacks._target, "forgotten", lambda m, seed: rate.get(m, 0.8))
    monkeypatch.setattr(attacks, "relearn", lambda m, *_: ((n, m) for n in UPDATES))
    values = evaluator._attacks.measure(model, SEED).values
    assert values == pytest.approx(
        {"relearn_auc_mixed": 1, "relearn_steps_mixed": 0, "relearn_gap_mixed": 0.75}, abs=1e-12
    )
    assert evaluator._attacks.measure(retrained, SEED).values["relearn_gap_mixed"] == 0


def test_what_models_show_under_other_conditions(task_env, monkeypatch):
    monkeypatch.setattr(conditions, "STEPS", 3)
    evaluator = make_evaluator(task_env, TOLD)
    target, found = evaluator._attacks._target, []
    rates = iter([0.1, 0.2, 0.7, 0.6, 0.0, 0.1, 0.3, 0.8])
    monkeypatch.setattr(target, "_rate", lambda m, seed, labels: found.append((m, labels)) or next(rates))
    model = evaluator.model()
    scores = evaluator._attacks.measure(
        model, SEED
    )  # this model by all conditions of a kind, then the retrained one
    assert scores.details == {
        "attack_condition": {"0.25": 0.1, "1": 0.2, "inf": 0.7},
        "attack_overlap": {"overlap": 0.3},
    }
    assert scores.values == pytest.approx(
        {"attack_concept_rate": 0.7, "attack_gap": 0.6, "overlap_concept_rate": 0.3, "overlap_gap": 0}
    )
    assert set(scores.values) == set(look_up(evaluator._attacks.metrics()))
    assert evaluator._attacks.measure(evaluator.retrained(), SEED).values == pytest.approx(
        {"attack_concept_rate": 0.1, "attack_gap": 0, "overlap_concept_rate": 0.8, "overlap_gap": 0}
    )
    assert len(found) == 8  # the retrained model was attacked once
    *under_label, half_way = (labels for _, labels in found[:3] + found[6:7])
    assert all(labels.tolist() == [1] * 12 for labels in under_label)
    assert half_way.tolist() == [0, 2] * 6


def test_conditions_leave_the_model_as_it_is_and_the_seed_decides(task_env, monkeypatch):
    monkeypatch.setattr(conditions, "STEPS", 3)
    evaluator = make_evaluator(task_env, TOLD)
    before = copy.deepcopy(evaluator.model().state_dict())
    first = evaluator.score(evaluator.model(), SEED)
    assert set(first.values) == set(evaluator.metrics())
    assert all(torch.equal(value, before[name]) for name, value in evaluator.model().state_dict().items())
    again = make_evaluator(task_env, TOLD).score(evaluator.model(), SEED)
    assert (again.values, again.details) == (first.values, first.details)
    lost = evaluator.score(wrecked(evaluator.model()), SEED).values
    assert lost["attack_concept_rate"] == lost["overlap_concept_rate"] == lost["concept_rate"]


def test_models_that_are_told_no_label(task_env, tmp_path):
    for change, reason in (
        (lambda: setattr(task_env.process, "data", replace(task_env.process.data, forget_label=None)),
         "the images to forget have no label of their own"),
        (lambda: setattr(task_env.process, "model", own_env(tmp_path).process.model), "told no labels"),
    ):  # fmt: skip
        change()
        with pytest.raises(UserError, match=f"attack was asked for, but .*{reason}; leave it out"):
            make_evaluator(task_env, TOLD)
    env = SimpleNamespace(process=classifier(True, True)[0]._process, task=None, evaluator="supervised")
    with pytest.raises(UserError, match="a classifier is told no labels"):
        make_evaluator(env, TOLD)


def classifier(forget_holdout, retain_holdout):
    points = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    labels = (points[:, 0] > 0).long()
    kept, gone = (LabelledSet(points[labels == k], labels[labels == k]) for k in (0, 1))
    held_out = (part if held else NOTHING for part, held in ((kept, retain_holdout), (gone, forget_holdout)))
    data = UnlearningData("toy", kept, gone, *held_out, 2)
    knows, forgot = nn.Linear(2, 2), nn.Linear(2, 2)
    with torch.no_grad():
        for model, bias in ((knows, 0.0), (forgot, 9.0)):
            model.weight.copy_(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
            model.bias.copy_(torch.tensor([bias, 0.0]))
    process = SimpleNamespace(
        data=data,
        model=forgot,
        original=[parameters_to_vector(knows.parameters()).detach()],
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    return SupervisedEvaluator(SimpleNamespace(process=process, task=None), ALL), knows, forgot


@pytest.mark.parametrize("held_out", [True, False])
def test_a_classifier_is_attacked(held_out):
    evaluator, knows, forgot = classifier(held_out, held_out)
    values = evaluator.score(forgot, 0).values
    assert set(values) == set(evaluator.metrics()) == set(look_up(evaluator.metrics()))
    assert ("forget_mia_auc_at_retain" in values) == held_out
    assert "relearn_gap_mixed" not in values  # nobody retrained a model
    assert evaluator.score(knows, 0).values["relearn_steps_mixed"] == 0
    assert values["relearn_auc_mixed"] < 1 and values["relearn_steps_mixed"] > 0
    assert (values["alpha_at_retain"], values["forget_acc_at_retain"]) == (1.0, values["forget_acc"])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"relearn": ("forgot",)}, "relearn has 'forgot'; choose from mixed, retain, forget"),
        ({"relearn": ("mixed", "mixed")}, "each at most once"),
        ({"attack": ("prompt",)}, "attack has 'prompt'; choose from condition, overlap"),
        ({"rounding": (16,)}, "rounding has 16; choose from 4, 8"),
        ({"equal_retain": 1.5}, "equal_retain=1.5 is no share"),
    ],
)
def test_what_cannot_be_asked_for(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        EvaluatorSettings(**settings)


@pytest.mark.parametrize("name", ["relearn", "rounding", "equal_retain", "attack"])
def test_without_a_judge_nothing_is_attacked(env, name):
    with pytest.raises(UserError, match=f"{name} was asked for, but nothing judges"):
        make_evaluator(env, replace(SETTINGS, **{name: getattr(ALL, name) or TOLD.attack}))
