"""Agents that choose λ: ``names``, ``make``, ``load``, ``resolve``. Classes are imported when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unlearn_gym.agents.registry import REGISTRY, agent_class, make, names

if TYPE_CHECKING:
    from pathlib import Path

    from unlearn_gym.agents.common.base import Agent

__all__ = ["REGISTRY", "agent_class", "load", "make", "names", "resolve"]


def load(path: str | Path, env: Any) -> Agent:
    """Rebuild a saved agent.

    Args:
        path: its folder, the run folder that holds it, ``shipped:NAME``, or the zip of Stable-Baselines3's
            ``model.save`` (``model.zip:vecnormalize.pkl`` where it was trained with ``VecNormalize``).
        env: the environment it will act in.
    """
    from unlearn_gym.agents.common import specs

    return specs.load(path, env)


def resolve(spec: Any, env: Any) -> Agent:
    """Return the agent that a command line means, or an object is; see ``unlearn_gym.agents.common.specs``."""
    from unlearn_gym.agents.common import specs

    return specs.resolve(spec, env)
