"""What a word on a command line means as an agent: a name, a saved agent, or a class in a user's file."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from unlearn_gym import configs
from unlearn_gym.agents import registry
from unlearn_gym.agents.common import saving
from unlearn_gym.agents.trained import shipped
from unlearn_gym.errors import UserError
from unlearn_gym.runtime.user_code import blamed, import_file
from unlearn_gym.storage.files import user_path

FILE_MARK = ".py:"


@dataclass(frozen=True)
class Spec:
    """What a word means: parsed once, and sent to other processes as it is.

    Attributes:
        text: the word.
        make: returns a fresh agent for an environment.
        kind: whether the agent is a constant, was trained, or is neither.
        files: files, or a folder, that it is made of.
        settings: what ``unlearn_gym.configs`` has for it, where it is a name.
        run_folder: where its training was logged.
    """

    text: str
    make: Callable[[Any], Any]
    kind: Literal["static", "learned", "other"] = "learned"
    files: tuple[Path, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    run_folder: Path | None = None


def parse(text: str) -> Spec:
    """Return what a word means.

    It is one of

    - a name, with arguments: ``adaptive_vi``, ``static:0.5`` (a fresh, untrained agent with the settings that
      ``unlearn_gym.configs`` has for the environment);
    - a folder with a saved agent, or a run folder that holds one: ``runs/ppo``;
    - a trained policy that comes with the package, ``shipped:NAME``; ``unlearn-gym list`` has the names;
    - the zip of Stable-Baselines3's ``model.save``: ``model.zip``, or ``model.zip:vecnormalize.pkl`` with the file of
      ``VecNormalize.save``, or ``model.zip:raw`` where there was none;
    - ``path/to/file.py:ClassName``, a class that is called with ``env``;
    - ``path/to/file.py:ClassName:saved``, whose ``load("saved")`` is then called; the agent is what ``load``
      returns, or the object itself when that is None.

    Raises:
        UserError: when it is none of these.
    """
    if FILE_MARK in text:
        return _file(text)
    name = text.split(":")[0]
    if name in registry.REGISTRY:
        kind: Literal["static", "other"] = "static" if registry.agent_class(name).static else "other"
        return Spec(text, partial(_from_name, text, name), kind, settings=configs.table(name))
    folder = shipped.folder(text.partition(":")[2]) if name == shipped.WORD else saving.find(text)
    if folder is not None:
        run_folder = folder.parent if folder.name == saving.FILE else folder
        return Spec(text, partial(saving.load, folder), files=(folder,), run_folder=run_folder)
    if is_zip(text):
        from unlearn_gym.agents.imports import sb3_models

        return Spec(text, partial(sb3_models.from_zip, text), files=tuple(sb3_models.files(text)))
    if user_path(text).exists():
        raise UserError(f"{text} holds no saved agent; give a folder that train_agent.py has finished.")
    raise UserError(
        f"The agent {text!r} is not known; give one of {', '.join(registry.names())}, a run folder, the zip of a "
        "model of Stable-Baselines3, or path/to/file.py:ClassName."
    )


def resolve(spec: Any, env: Any) -> Any:
    """Return the agent that ``spec`` means.

    Args:
        spec: an agent (whatever has ``predict``), a model of Stable-Baselines3, or a word that ``parse`` knows.
        env: the environment it will act in.

    Raises:
        UserError: when it is none of these.
    """
    if isinstance(spec, (str, os.PathLike)):
        return parse(os.fspath(spec)).make(env)
    return _from_object(spec, env)


def load(path: str | Path, env: Any) -> Any:
    """Rebuild a saved agent; see ``unlearn_gym.agents.load``."""
    if saving.find(path) is None and (is_zip(str(path)) or str(path).startswith(f"{shipped.WORD}:")):
        return parse(str(path)).make(env)
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


def _from_name(text: str, name: str, env: Any) -> Any:
    env_id = env.spec.id if getattr(env, "spec", None) else ""
    return registry.make(text, env, **configs.hyperparameters(name, env_id))


def _file(text: str) -> Spec:
    stem, _, rest = text.partition(FILE_MARK)
    class_name, _, saved = rest.partition(":")
    path = user_path(stem + ".py")
    if not path.is_file():
        raise UserError(f"There is no file {path}; give path/to/file.py:ClassName.")
    make = partial(_from_file, text, path, class_name, saved)
    loaded = tuple(user_path(word) for word in saved.split(":")) if saved else ()
    return Spec(text, make, "learned" if saved else "other", (path, *loaded))


def _from_file(spec: str, path: Path, class_name: str, saved: str, env: Any) -> Any:
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
