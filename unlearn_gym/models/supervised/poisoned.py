"""The classifier that was trained on poisoned digits, which requests ask to forget a part of them."""

from __future__ import annotations

from unlearn_gym.data.requests.poisoned import ClassifierFamily, poisoned_digits
from unlearn_gym.data.sets.digits import DIGITS
from unlearn_gym.models.supervised.tasks import SUPERVISED_TASKS, SupervisedTask


def poisoned_task() -> tuple[ClassifierFamily, SupervisedTask]:
    """Return the family, and the task of forgetting all poison at once, with the recipe of the digits."""
    family = poisoned_digits()
    poison = [concept for concept in family.concepts if concept not in DIGITS]
    return family, SupervisedTask(family.name, family.part(poison), SUPERVISED_TASKS["digits"].recipe)
