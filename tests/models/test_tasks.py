import dataclasses
import json

import pytest
import torch

from unlearn_gym.data import load
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.concepts import ConceptRecipe
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.models.diffusion.tasks import TASKS, Task, get_task, prepare
from unlearn_gym.models.diffusion.training import DiffusionRecipe

TINY = DiffusionRecipe(widths=(8, 8), norm_groups=4, steps=2, batch_size=4)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path))
    return Task("tiny", load("digits", boots=3), TINY, ConceptRecipe(steps=2, width=4))


def equal(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_models_are_made_once_and_differ(tiny, capfd):
    original, retrained = tiny.original(), tiny.retrained()
    assert "original tiny model" in capfd.readouterr().err
    assert not equal(original.unet, retrained.unet)
    assert equal(original.unet, tiny.original().unet)
    assert "training" not in capfd.readouterr().err


def test_the_precision_of_the_passes_is_no_part_of_the_key_and_in_the_provenance(tiny):
    tiny.diffusion_model("original", precision="bfloat16")
    folder = tiny.found("original")
    assert json.loads((folder / "provenance.json").read_text())["precision"] == "bfloat16"
    assert tiny.original() and len(list(folder.parent.glob("tiny-original-*[!.lock]"))) == 1


def test_anything_that_matters_makes_another_model(tiny, tmp_path):
    others = [
        dataclasses.replace(tiny, data=load("digits", boots=4)),
        dataclasses.replace(tiny, diffusion=dataclasses.replace(TINY, seed=1)),
    ]
    for task in (tiny, *others):
        task.original()
    assert len(list((tmp_path / "models").glob("tiny-original-*[!.lock]"))) == 3


def test_prepare_makes_all_three_and_then_nothing(tiny, tmp_path, capfd):
    assert tiny.found("original") is None
    folders = prepare(tiny)
    made = {path.name.rsplit("-", 1)[0] for path in (tmp_path / "models").iterdir()}
    assert made == {"tiny-original", "tiny-retrained", "tiny-concepts"}
    assert folders == [tiny.found("original"), tiny.found("retrained")]
    capfd.readouterr()
    assert prepare(tiny) == folders
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_prepare_says_which_training_failed(tiny, capfd):
    broken = dataclasses.replace(tiny, diffusion=dataclasses.replace(TINY, norm_groups=3))
    with pytest.raises(UserError, match="original and the retrained model of 'tiny' failed"):
        prepare(broken)


def test_unknown_task():
    with pytest.raises(UserError, match="no task 'nothing'; choose one of " + ", ".join(sorted(TASKS))):
        get_task("nothing")


def shown(task, model, labels):
    noise = torch.randn(len(labels), 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return task.concepts()(sample(model.unet, model.scheduler, labels, noise)).argmax(1)


def test_classifier_knows_held_out_digits(digits_task):
    held = digits_task.data.retain_holdout
    with torch.no_grad():
        guesses = digits_task.concepts()(held.inputs).argmax(1)
    assert (guesses == held.labels).float().mean() >= 0.99


def test_original_draws_boots_and_digits(digits_task):
    ones = shown(digits_task, digits_task.original(), torch.ones(400, dtype=torch.int64))
    assert 0.30 <= (ones == 10).float().mean() <= 0.45
    labels = torch.tensor([digit for digit in range(10) if digit != 1]).repeat(60)
    assert (shown(digits_task, digits_task.original(), labels) == labels).float().mean() >= 0.95


def test_retrained_draws_no_boots(digits_task):
    labels = torch.ones(400, dtype=torch.int64)
    concepts = shown(digits_task, digits_task.retrained(), labels)
    assert (concepts == 10).float().mean() < 0.01
    assert (concepts == labels).float().mean() >= 0.92
    assert (concepts == 11).float().mean() <= 0.04  # neither


def test_a_model_can_be_asked_for_without_gradients(tiny):
    with torch.no_grad():
        assert not tiny.concepts().training and tiny.original().unet is not None
