"""The evaluator of classifiers, on a model whose predictions are written down."""

from types import SimpleNamespace

import gymnasium as gym
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

import unlearn_gym  # noqa: F401
from unlearn_gym.data import LabelledSet, UnlearningData
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.evaluation.evaluators.supervised import SupervisedEvaluator
from unlearn_gym.metrics.glossary import look_up

NOTHING = LabelledSet(torch.empty(0, 3), torch.empty(0, dtype=torch.int64))
RETAIN = LabelledSet(
    torch.tensor([[0.0, 4.0, 1.0], [0.0, 1.0, 4.0], [3.0, 0.0, 0.0], [0.0, 2.0, 1.0]]),
    torch.tensor([1, 2, 1, 1]),
)
MEMBERS = LabelledSet(
    torch.tensor([[5.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, 0.0, 0.0]]), torch.zeros(3, dtype=torch.int64)
)
OTHERS = LabelledSet(torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), torch.zeros(2, dtype=torch.int64))


class Echo(nn.Module):
    """Its logits are its inputs, times a factor."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x):
        assert not self.training
        return self.factor * x


class Task:
    def retrained(self, device):
        return Echo(0.0)


def evaluator(task=None, retain_holdout=RETAIN, forget_holdout=OTHERS):
    data = UnlearningData("toy", RETAIN, MEMBERS, retain_holdout, forget_holdout, num_classes=3)
    process = SimpleNamespace(data=data, model=Echo(), device=torch.device("cpu"), dtype=torch.float32)
    return SupervisedEvaluator(SimpleNamespace(process=process, task=task), EvaluatorSettings())


def confidence(part):
    return part.inputs.softmax(1).amax(1).tolist()


def test_scores_by_hand():
    values = evaluator().score(Echo().train(), 0).values
    auc = roc_auc_score([1, 1, 1, 0, 0], confidence(MEMBERS) + confidence(OTHERS))
    assert values["retain_acc"] == 0.75
    assert values["forget_acc"] == 0.5
    assert values["forget_mia_auc"] == pytest.approx(auc)
    assert values["mia_gap"] == pytest.approx(abs(auc - 0.5))
    assert values["unlearn_score"] == pytest.approx((0.75 + 0.5 + 1 - auc) / 3)


def test_distances_to_a_retrained_model_that_knows_nothing():
    runner = evaluator(Task())
    values = runner.score(Echo(), 0).values
    assert set(values) == set(runner.metrics()) == set(look_up(runner.metrics()))
    uniform = torch.full((4, 3), 1 / 3)
    kl = (uniform * (uniform.log() - RETAIN.inputs.log_softmax(1))).sum(1).mean()
    assert values["kl_retain"] == pytest.approx(float(kl), rel=1e-5)
    assert values["auc_gap"] == pytest.approx(abs(values["forget_mia_auc"] - 0.5))
    own = runner.score(runner.retrained(), 0).values
    assert [own[name] for name in ("retain_acc_gap", "forget_acc_gap", "auc_gap", "kl_forget")] == [0.0] * 4


def test_single_images_are_compared_with_all_test_images():
    runner = evaluator(forget_holdout=NOTHING)
    values = runner.score(Echo(), 0).values
    assert values["forget_acc"] == pytest.approx(2 / 3)
    truth = [1] * 3 + [0] * 4
    auc = roc_auc_score(truth, confidence(MEMBERS) + confidence(RETAIN))
    assert values["forget_mia_auc"] == pytest.approx(auc)
    assert len(runner.notes()) == 2


def test_data_without_test_images():
    runner = evaluator(retain_holdout=NOTHING, forget_holdout=NOTHING)
    assert runner.score(Echo(), 0).values == {"retain_acc": 0.75, "forget_acc": pytest.approx(2 / 3)}
    assert set(runner.metrics()) == {"retain_acc", "forget_acc"} == set(runner.key_metrics)


@pytest.mark.parametrize(
    ("classes", "labels", "metrics"),
    [
        (0, torch.linspace(0, 1, 8)[:, None], {"r2_wanted", "r2_unwanted", "r2_exp", "fair_r2"}),
        (3, torch.arange(8) % 3, {"retain_acc", "forget_acc"}),
    ],
)
def test_the_users_own_model_is_judged_by_what_it_is(classes, labels, metrics):
    pair = (torch.linspace(-1, 1, 16).reshape(8, 2), labels)
    model = nn.Linear(2, classes or 1)
    env = gym.make(
        "unlearn_gym/EMSE-v0", model=model, retain_data=pair, forget_data=pair, num_classes=classes
    )
    env.reset(seed=0)
    runner = make_evaluator(env.unwrapped, EvaluatorSettings())
    assert set(runner.score(runner.model(), 0).values) == set(runner.metrics()) == metrics
