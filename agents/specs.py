"""What a word on a command line means as an agent: a name, a saved agent, or a class in a user's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearn_gym import agents, configs
from unlearn_gym.agents import artefact
from unlearn_gym.errors import UserError
from unlearn_gym.user_code import blamed, import_file

FILE_MARK = ".py:"


def resolve(spec: str, env: Any) -> Any:
    """Return the agent that ``spec`` means.

    Args:
        spec: one of

            - a name, with arguments: ``adaptive_vi``, ``static:0.5`` (a fresh, untrained agent with the settings
              that ``unlearn_gym.configs`` has for the environment);
            - a folder with a saved agent, or a run folder that holds one: ``runs/ppo``;
            - ``path/to/file.py:ClassName``, a class that is called with ``env``;
            - ``path/to/file.py:ClassName:saved``, whose ``load("saved")`` is then called; the agent is what
              ``load`` returns, or the object itself when that is None.
        env: the environment it will act in.

    Raises:
        UserError: when it is none of these.
    """
    if FILE_MARK in spec:
        return _from_file(spec, env)
    name = spec.split(":")[0]
    if name in agents.REGISTRY:
        env_id = env.spec.id if getattr(env, "spec", None) else ""
        return agents.make(spec, env, **configs.hyperparameters(name, env_id))
    if artefact.find(spec) is not None:
        return artefact.load(spec, env)
    if Path(spec).exists():
        raise UserError(f"{spec} holds no saved agent; give a folder that train_agent.py has finished.")
    raise UserError(
        f"The agent {spec!r} is not known; give one of {', '.join(agents.names())}, a run folder, "
        "or path/to/file.py:ClassName."
    )


def _from_file(spec: str, env: Any) -> Any:
    stem, _, rest = spec.partition(FILE_MARK)
    class_name, _, saved = rest.partition(":")
    path = Path(stem + ".py")
    if not path.is_file():
        raise UserError(f"There is no file {path}; give path/to/file.py:ClassName.")
    kind = getattr(import_file(path), class_name, None)
    if not callable(kind):
        raise UserError(f"{path} defines no class {class_name!r}; give path/to/file.py:ClassName.")
    with blamed(f"Building {spec}"):
        agent = kind(env)
    if saved:
        if not hasattr(agent, "load"):
            raise UserError(f"{class_name} in {path} has no load(path); leave out ':{saved}'.")
        with blamed(f"Loading {spec}"):
            loaded = agent.load(saved)
        agent = agent if loaded is None else loaded
    if not hasattr(agent, "predict"):
        raise UserError(f"{class_name} in {path} has no predict(observation, ...); see docs/extending.md.")
    return agent
