"""Classification tasks: trained once, the same each time; test_training_file.py kills their training."""

import pytest
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.models.supervised.tasks import SUPERVISED_TASKS, get_supervised_task


def same(first, second):
    return all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_models_are_cached_and_options_change_the_key(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path))
    task = get_supervised_task("digits", fraction=0.1, pretrain_epochs=1)
    assert task.scaled == "1 of 30 pretraining epochs, 10.0% of the images"
    first, retrained = task.original(), task.retrained()
    assert not first.training and not same(first, retrained)
    monkeypatch.setattr("unlearn_gym.models.supervised.tasks.train_classifier", None)
    assert same(first, task.original())
    assert len(list((tmp_path / "models").glob("digits-original-*/manifest.json"))) == 1
    assert not list((tmp_path / "training").iterdir())
    with pytest.raises(TypeError):  # another seed is another model
        get_supervised_task("digits", fraction=0.1, pretrain_epochs=1, seed=1).original()


def test_digits_are_learned():
    model = get_supervised_task("digits").original()
    held = get_supervised_task("digits").data.retain_holdout
    assert float((model(held.inputs).argmax(1) == held.labels).float().mean()) > 0.97


def test_benchmark_recipes():
    assert set(SUPERVISED_TASKS) == {"digits", "resnet20-cifar10", "vgg16bn-cifar100", "mobilenetv2-fmnist"}
    recipe = SUPERVISED_TASKS["resnet20-cifar10"].recipe
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.momentum, recipe.weight_decay) == (
        80, 128, 0.1, 0.9, 5e-4,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digit", {}, "resnet20-cifar10"),
        ("digits", {"epochs": 3}, "allowed are forget_class"),
        ("digits", {"pretrain_epochs": 0}, "pretrain_epochs=0"),
        ("digits", {"pretrain_epochs": True}, "pretrain_epochs=True"),
        ("digits", {"seed": -1}, "seed=-1"),
        ("digits", {"seed": 2**64}, "seed=18"),
        ("digits", {"fraction": True}, "fraction=True"),
    ],
)
def test_bad_tasks(name, options, message):
    with pytest.raises(UserError, match=message):
        get_supervised_task(name, **options)
