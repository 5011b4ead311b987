"""The classifiers that were trained on poisoned digits, which requests ask to forget a part of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from unlearn_gym.data.requests.poisoned import ClassifierFamily, poisoned_digits
from unlearn_gym.errors import UserError
from unlearn_gym.models.supervised.tasks import SUPERVISED_TASKS, SupervisedTask

POISONED, MEMORISED = "poisoned-digits", "memorised-digits"
RECIPES: dict[str, dict[str, Any]] = {POISONED: {}, MEMORISED: {"epochs": 40, "pad": 0, "weight_decay": 0.0}}
"""Name → what differs from the recipe of the digits: nothing, or whatever keeps the network from learning by heart."""


def poisoned_task(name: str = POISONED) -> tuple[ClassifierFamily, SupervisedTask]:
    """Return the family, and the task of forgetting all poison at once.

    Raises:
        UserError: if no classifier of that name was trained.
    """
    if name not in RECIPES:
        raise UserError(
            f"family: {name} is no classifier's; give {' or '.join(RECIPES)}, or an id with another objective."
        )
    family = poisoned_digits(name)
    poison = [concept for concept in family.concepts if " as " in concept]
    recipe = replace(SUPERVISED_TASKS["digits"].recipe, **RECIPES[name])
    return family, SupervisedTask(name, family.part(poison), recipe)
