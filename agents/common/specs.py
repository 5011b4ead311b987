"""What a word on a command line means as an agent: a name, a saved agent, or a class in a user's file."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unlearn_gym import configs
from unlearn_gym.agents import registry
from unlearn_gym.agents.common import saving
from unlearn_gym.errors import UserError
from unlearn_gym.runtime.user_code import blamed, import_file
from unlearn_gym.storage.files import user_path

FILE_MARK = ".py:"


def resolve(spec: Any, env: Any) -> Any:
    """Return the agent that ``spec`` means.

    Args:
        spec: an agent (whatever has ``predict``), a model of Stable-Baselines3, or one of

            - a name, with arguments: ``adaptive_vi``, ``static:0.5`` (a fresh, untrained agent with the settings
              that ``unlearn_gym.configs`` has for the environment);
            - a folder with a saved agent, or a run folder that holds one: ``runs/ppo``;
            - the zip of Stable-Baselines3's ``model.save``: ``model.zip``, or ``model.zip:vecnormalize.pkl`` with
              the file of ``VecNormalize.save``, or ``model.zip:raw`` where there was none;
            - ``path/to/file.py:ClassName``, a class that is called with ``env``;
            - ``path/to/file.py:ClassName:saved``, whose ``load("saved")`` is then called; the agent is what
              ``load`` returns, or the object itself when that is None.
        env: the environment it will act in.

    Raises:
        UserError: when it is none of these.
    """
    if not isinstance(spec, (str, os.PathLike)):
        return _from_object(spec, env)
    spec = os.fspath(spec)
    if FILE_MARK in spec:
        return _from_file(spec, env)
    name = spec.split(":")[0]
    if name in registry.REGISTRY:
        env_id = env.spec.id if getattr(env, "spec", None) else ""
        return registry.make(spec, env, **configs.hyperparameters(name, env_id))
    if saving.find(spec) is not None or is_zip(spec):
        return load(spec, env)
    if user_path(spec).exists():
        raise UserError(f"{spec} holds no saved agent; give a folder that train_agent.py has finished.")
    raise UserError(
        f"The agent {spec!r} is not known; give one of {', '.join(registry.names())}, a run folder, the zip of a "
        "model of Stable-Baselines3, or path/to/file.py:ClassName."
    )


def load(path: str | Path, env: Any) -> Any:
    """Rebuild a saved agent; see ``unlearn_gym.agents.load``."""
    if saving.find(path) is None and is_zip(str(path)):
        from unlearn_gym.agents.imports import sb3_models

        return sb3_models.from_zip(str(path), env)
    return saving.load(path, env)


def is_zip(spec: str) -> bool:
    """Tell whether a word means the zip of a model of Stable-Baselines3, there or not."""
    return re.search(r"\.zip(:|$)", spec) is not None


def _from_object(agent: Any, env: Any) -> Any:
    from stable_baselines3.common.base_class import BaseAlgorithm

    if isinstance(agent, BaseAlgorithm):
        from unlearn_gym.agents.imports import sb3_models

        return sb3_models.from_model(agent, env)
    if not hasattr(agent, "predict"):
        raise UserError(f"A {type(agent).__name__} has no predict(observation, ...); see docs/extending.md.")
    return agent


def _from_file(spec: str, env: Any) -> Any:
    stem, _, rest = spec.partition(FILE_MARK)
    class_name, _, saved = rest.partition(":")
    path = user_path(stem + ".py")
    if not path.is_file():
        raise UserError(f"There is no file {path}; give path/to/file.py:ClassName.")
    module = import_file(path)
    kind = getattr(module, class_name, None)
    if not callable(kind):
        raise UserError(f"{path} defines no class {class_name!r}; give path/to/file.py:ClassName.")
    with _guarded(f"{class_name} in {path} cannot be made with env"), blamed(f"Building {spec}"):
        agent = kind(env)
    if saved:
        if not hasattr(agent, "load"):
            raise UserError(f"{class_name} in {path} has no load(path); leave out ':{saved}'.")
        with _guarded(f"{class_name} in {path} cannot load {saved}"), blamed(f"Loading {spec}"):
            loaded = agent.load(saved)
        agent = agent if loaded is None else loaded
    if not hasattr(agent, "predict"):
        raise UserError(f"{class_name} in {path} has no predict(observation, ...); see docs/extending.md.")
    return agent


@contextlib.contextmanager
def _guarded(what: str) -> Iterator[None]:
    """Turn whatever the user's code raises, ``SystemExit`` too, into one sentence."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise UserError(f"{what} ({type(error).__name__}: {error}); fix the file.") from error
