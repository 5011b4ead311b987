"""The agents by name; their classes are imported when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unlearn_gym.errors import UserError

if TYPE_CHECKING:
    from unlearn_gym.agents.common.base import Agent

REGISTRY: dict[str, str] = {
    "static": "baselines:StaticAgent",
    "random": "baselines:RandomAgent",
    "schedule": "baselines:ScheduleAgent",
    "feedback": "feedback:FeedbackAgent",
    "adaptive_vi": "adaptive_vi:AdaptiveVIAgent",
    "primal_dual": "primal_dual:PrimalDualAgent",
    "bandit": "bandit:BanditAgent",
    "cem": "cem:CEMAgent",
    "ppo": "ppo:PPOAgent",
    "sac": "sac:SACAgent",
    "tqc": "tqc:TQCAgent",
    "crossq": "crossq:CrossQAgent",
    "recurrent_ppo": "recurrent_ppo:RecurrentPPOAgent",
    "iql": "offline.iql:IQLAgent",
    "random_constant": "offline.behaviours:RandomConstantAgent",
    "walk": "offline.behaviours:WalkAgent",
    "random_policy": "offline.behaviours:RandomPolicyAgent",
}
"""Name → module and class below ``unlearn_gym.agents``. A new agent is one line here."""


def names() -> list[str]:
    """Return the names that ``make`` knows."""
    return list(REGISTRY)


def agent_class(name: str) -> type[Agent]:
    """Return the class registered under ``name`` (without arguments).

    Raises:
        UserError: if there is none.
    """
    if name not in REGISTRY:
        raise UserError(f"The agent {name!r} is not known; choose one of {', '.join(names())}.")
    module, attribute = REGISTRY[name].split(":")
    return getattr(import_module(f"unlearn_gym.agents.{module}"), attribute)


def make(name: str, env: Any, **kwargs: Any) -> Agent:
    """Build an agent.

    Args:
        name: a registered name; words after colons fill its first settings, as in ``static:0.5``,
            ``schedule:linear:0.9:0.1`` or ``adaptive_vi:variance``.
        env: the environment it will act in (Gymnasium's, or a Stable-Baselines3 vector environment).
        **kwargs: settings of the agent, and ``seed``; the words of ``name`` win over them.

    Raises:
        UserError: on an unknown name or setting, a wrong type or a value out of range.
    """
    plain, *words = name.split(":")
    kind = agent_class(plain)
    arguments = kind.takes(words)
    if len(words) > len(arguments):
        allowed = ":".join([plain, *(f"<{argument}>" for argument in arguments)])
        raise UserError(f"{name!r} has too many arguments; the most there can be is {allowed}.")
    settings: dict[str, Any] = dict(zip(arguments, words, strict=False))
    return kind(env, **{**kwargs, **settings})
