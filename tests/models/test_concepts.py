import dataclasses

import pytest
import torch

from unlearn_gym.data import LabelledSet, load
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.concepts import (
    ConceptClassifier,
    ConceptRecipe,
    concept_set,
    train_concepts,
)
from unlearn_gym.models.threads import seeded_weights

SHORT = ConceptRecipe(steps=120)


def accuracy(model, examples):
    with torch.no_grad():
        return (model(examples.inputs).argmax(1) == examples.labels).float().mean().item()


def test_concept_set_names_the_forgotten():
    data = load("digits")
    examples = concept_set(data)
    assert len(examples) == len(data.retain) + len(data.forget)
    assert (examples.labels == 10).sum() == len(data.forget)
    assert torch.equal(examples.inputs[-90:], data.forget.inputs)


def test_concept_set_needs_one_more_concept():
    data = dataclasses.replace(load("digits"), concepts=("a", "b"))
    with pytest.raises(UserError, match="2 concepts for 10 classes"):
        concept_set(data)


def test_learns_unseen_digits_and_unseen_boots_in_seconds():
    data = load("digits")
    examples = concept_set(data)
    train = LabelledSet(examples.inputs[:-30], examples.labels[:-30])
    unseen_boots = LabelledSet(examples.inputs[-30:], examples.labels[-30:])
    model = train_concepts(train, 11, SHORT)
    assert accuracy(model, data.retain_holdout) >= 0.97
    assert accuracy(model, unseen_boots) == 1


def test_save_and_load(tmp_path):
    with seeded_weights(0):
        model = ConceptClassifier(3, 5, width=4, features=6).eval()
    model.save(tmp_path)
    loaded = ConceptClassifier.load(tmp_path)
    images = torch.linspace(-1, 1, 2 * 3 * 28 * 28).reshape(2, 3, 28, 28)
    assert torch.equal(model(images), loaded(images))
    assert loaded.features(images).shape == (2, 6) and loaded(images).shape == (2, 5)
    assert not loaded.training


def test_training_is_deterministic():
    examples = concept_set(load("digits"))
    recipe = ConceptRecipe(steps=3, width=4)
    first, again = (train_concepts(examples, 11, recipe).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
