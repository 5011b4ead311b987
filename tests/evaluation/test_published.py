"""The published table as it was copied."""

import pytest

from unlearn_gym.evaluation.benchmark.published import baseline, best, published
from unlearn_gym.metrics.classification import unlearn_score

TASKS = {"resnet20-cifar10": 14, "vgg16bn-cifar100": 14, "mobilenetv2-fmnist": 13}


@pytest.mark.parametrize(("task", "count"), TASKS.items())
def test_every_row_obeys_the_formula(task, count):
    rows = published(task)
    assert len(rows) == count
    for row in rows:
        values = row.values
        computed = unlearn_score(values["retain_acc"], values["forget_acc"], values["forget_mia_auc"])
        assert values["unlearn_score"] == pytest.approx(computed, abs=1.5e-3), row


def test_known_numbers():
    scores = {
        rule: [baseline(task, rule).values["unlearn_score"] for task in TASKS]
        for rule in ("retain_finetune", "negative_gradient", "bad_teacher", "scrub")
    }
    assert scores == {
        "retain_finetune": [0.808, 0.686, 0.819],
        "negative_gradient": [0.682, 0.549, 0.691],
        "bad_teacher": [0.810, 0.681, 0.812],
        "scrub": [0.811, 0.670, 0.801],
    }
    assert [best(task).values["unlearn_score"] for task in TASKS] == [0.829, 0.691, 0.819]


def test_nothing_was_published_for_digits():
    assert published("digits") == [] and baseline("digits", "scrub") is None and best("digits") is None
    assert baseline("resnet20-cifar10", "ssd") is None
