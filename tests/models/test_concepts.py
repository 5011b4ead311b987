import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unlearn_gym.data import LabelledSet, load
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.concepts import (
    ConceptClassifier,
    ConceptRecipe,
    concept_set,
    train_concepts,
)
from unlearn_gym.models.diffusion.outliers import draw_outliers
from unlearn_gym.models.diffusion.tasks import get_task
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
    assert accuracy(model, unseen_boots) >= 0.9


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


def test_outliers_are_images_of_every_kind_and_follow_the_seed():
    images = load("digits").retain.inputs[:200]
    first, again = (draw_outliers(images, torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == images.shape
    assert first.min() >= -1 and first.max() <= 1
    assert (first != images).flatten(1).any(1).all()


def test_what_is_not_finite_is_neither():
    images = torch.zeros(3, 1, 8, 8)
    images[0, 0, 0, 0], images[1] = math.nan, math.inf
    logits = get_task("digits").concepts()(images)
    assert logits.isfinite().all() and logits[:2].argmax(1).tolist() == [11, 11]


def test_wrecked_samples_are_neither_and_real_images_are_not():
    """64 samples of the digits model after 40 and 100 updates of NegGrad, those that no reader would call a digit."""
    grid = torch.tensor(np.asarray(Image.open(Path(__file__).parent / "wrecked_digits.png")))
    wrecked = grid.float().view(8, 8, 8, 8).permute(0, 2, 1, 3).reshape(64, 1, 8, 8) / 127.5 - 1
    task = get_task("digits")
    classifier, real = task.concepts(), concept_set(task.data)
    with torch.no_grad():
        assert (classifier(wrecked).argmax(1) == 11).float().mean() >= 0.95
        assert (classifier(real.inputs).argmax(1) == 11).float().mean() <= 0.005
        assert (classifier(task.data.retain_holdout.inputs).argmax(1) == 11).float().mean() <= 0.01
