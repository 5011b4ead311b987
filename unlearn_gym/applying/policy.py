"""The policy of a request: what chooses λ, and the keywords that make the environment one like that of its training."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

from unlearn_gym.agents.common import specs
from unlearn_gym.agents.common.base import Learner
from unlearn_gym.agents.registry import REGISTRY, agent_class
from unlearn_gym.agents.trained.origin import Origin, origin_of
from unlearn_gym.applying.settings import AUTO, Settings
from unlearn_gym.envs.spaces.judged import JudgedObserver
from unlearn_gym.envs.spaces.observers import OBSERVERS
from unlearn_gym.errors import UserError

ROUNDED = 1e-6
"""Relative difference of two learning rates that are the same."""


@dataclass(frozen=True)
class Chosen:
    """What chooses λ, and under what.

    Attributes:
        objective: of the updates.
        spec: the policy.
        origin: where it was trained, where that is known.
        keywords: of the environment, as they were there.
    """

    objective: str
    spec: specs.Spec
    origin: Origin | None = None
    keywords: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return what tells this from another policy, and what stands in the report."""
        where = {} if self.origin is None else {"trained_in": self.origin.env}
        seen = {name: value for name, value in self.keywords.items() if value is not None}
        return {"objective": self.objective, "policy": self.spec.text, **where, **seen}

    def unmet(self, steps: int, rate: float) -> str:
        """Say that the policy met no such number of updates or learning rate in its training; "" if it did."""
        budgets = {} if self.origin is None else self.origin.budgets()
        asked = {"horizon": ("updates", steps), "learning_rate": ("as the learning rate", rate)}
        beyond = []
        for name, (low, high) in budgets.items():
            what, here = asked[name]
            if not low * (1 - ROUNDED) <= here <= high * (1 + ROUNDED):
                span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
                beyond.append(f"{span} {what} (here {here:g})")
        if not beyond:
            return ""
        return (
            f"In its training the policy {self.spec.text} had {' and '.join(beyond)}: what it does here was never "
            "tried; compare with a constant, such as --policy static:0.5."
        )

    def told(self) -> str:
        """Say it in a few words."""
        where = "" if self.origin is None else f", trained in {self.origin.env}"
        return f"{self.objective}, λ by {self.spec.text}{where}"


def chosen_policy(settings: Settings, kind: str, env_id: str) -> Chosen:
    """Return policy and objective of a request to a kind of model.

    Losses and gradients mean something else under another objective or another ``state``, and an action something else
    in another range: what a trained policy saw and set in its training is taken from there.

    Args:
        settings: what was given.
        kind: of the model, a key of ``applying.settings.DEFAULTS``.
        env_id: of the environment that unlearns such models.

    Raises:
        UserError: for a policy that is unknown, has learned nothing, or was trained for something else than was given.
    """
    default = settings.of_kind(kind)
    spec = specs.parse(default.policy)
    name = spec.text.split(":")[0]
    if spec.run_folder is None:
        if name in REGISTRY and issubclass(agent_class(name), Learner):
            raise UserError(
                f"The agent {name!r} has learned nothing yet; train it, and give the folder of its run, such as "
                f"--policy runs/{name}."
            )
        return Chosen(default.objective, spec)
    origin = origin_of(spec.files[0])
    if origin is None:
        warnings.warn(
            f"Nothing says where {spec.text} was trained; it is given what {env_id} shows by default.",
            stacklevel=2,
        )
        return Chosen(default.objective, spec)
    keywords = _keywords(spec.text, origin, kind, env_id)
    objective = keywords.pop("objective")
    given = {
        **settings.env_kwargs,
        **({} if settings.objective == AUTO else {"objective": settings.objective}),
    }
    for key, there in {**keywords, "objective": objective}.items():
        if key in given and _plain(given[key]) != _plain(there):
            raise UserError(
                f"The policy {spec.text} was trained with {key}={there!r}, and {key}={given[key]!r} was given; leave "
                f"{key} out, which is then as in its training, or give another policy."
            )
    return Chosen(objective, spec, origin, keywords)


def _keywords(policy: str, origin: Origin, kind: str, env_id: str) -> dict[str, Any]:
    """Return the decisive keywords of a training that a user's own model can have."""
    if not origin.fits(env_id):
        raise UserError(
            f"The policy {policy} was trained in {origin.env}, and the model is a {kind}: its losses are others; give "
            f"a policy that was trained on a {kind}."
        )
    found = origin.keywords()
    if issubclass(OBSERVERS[found["observation"]], JudgedObserver):
        raise UserError(
            f"The policy {policy} was trained with observation={found['observation']!r}, what a judge of samples "
            "says; your own model has none: give a policy that sees the losses."
        )
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
