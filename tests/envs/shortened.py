"""Tasks whose models take long to train, with recipes of one step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from unlearn_gym.models.diffusion.concepts import ConceptRecipe
from unlearn_gym.models.diffusion.tasks import TASKS, cifar10_task, data_task
from unlearn_gym.models.sfd.distillation import DistillationRecipe
from unlearn_gym.models.sfd.tasks import SFD_TASKS, distilled_task
from unlearn_gym.models.vae.tasks import VAE_TASKS, vae_task


def shortened() -> Iterator[tuple[dict[str, Callable[..., Any]], str, Callable[..., Any]]]:
    """Yield the registry, the name and the short form of each."""
    name, recipe, _ = TASKS["trousers"].args  # type: ignore[attr-defined]
    short = replace(recipe, widths=(8, 8, 16), norm_groups=4, steps=1, batch_size=4)
    yield TASKS, "trousers", partial(data_task, name, short, ConceptRecipe(steps=1))
    *names, vae = VAE_TASKS["vae-trousers"].args  # type: ignore[attr-defined]
    yield VAE_TASKS, "vae-trousers", partial(vae_task, *names, replace(vae, steps=1))
    for task in ("cifar10", "cifar10-random"):  # their judge is the real one
        name, recipe = TASKS[task].args  # type: ignore[attr-defined]
        short = replace(recipe, widths=(4, 8), norm_groups=2, steps=1, batch_size=4)
        yield TASKS, task, partial(cifar10_task, name, short)
    once = DistillationRecipe(steps=1, batch_size=4)
    yield SFD_TASKS, "mnist", partial(distilled_task, "mnist", "trousers", once)
