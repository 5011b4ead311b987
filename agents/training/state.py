"""Everything a Stable-Baselines3 run needs to go on after a kill, as nested dictionaries without pickle.

It is taken when a rollout starts: the last update is finished and the rollout buffer empty, so that the
parameters, the replay buffer or window, and the state of the environments are all there is.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from unlearn_gym.agents.common.wrappers import AgentView

COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_current_progress_remaining")
ARRAYS = ("_last_obs", "_last_episode_starts", "_last_original_obs")
REPLAYED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def collect(model: BaseAlgorithm, view: AgentView) -> dict[str, Any]:
    """Return the state of the algorithm, its buffers, its normalisation and its environments."""
    vec = model.get_vec_normalize_env()
    assert vec is not None and model.ep_info_buffer is not None
    _, variables = model._get_torch_save_params()
    return {
        "parameters": model.get_parameters(),
        "variables": {name: getattr(model, name) for name in variables},
        "counters": {name: getattr(model, name) for name in COUNTERS},
        "arrays": {name: getattr(model, name) for name in ARRAYS},
        "episodes": list(model.ep_info_buffer),
        "action_space": model.action_space.np_random.bit_generator.state,
        "memory": _memory(model),
        "normalizer": normalizer(vec),
        "returns": vec.returns,
        "raw": view.raw,
        "environments": view.env_method("state_dict"),
    }


def apply(model: BaseAlgorithm, view: AgentView, state: dict[str, Any]) -> None:
    """Put an algorithm with the same settings and as many environments into ``state``."""
    vec = model.get_vec_normalize_env()
    assert vec is not None
    model.set_parameters(state["parameters"])
    for name, value in state["variables"].items():
        getattr(model, name).data.copy_(value)
    for name, value in {**state["counters"], **state["arrays"]}.items():
        setattr(model, name, value)
    model.ep_info_buffer = deque(state["episodes"], maxlen=model._stats_window_size)
    model.ep_success_buffer = deque(maxlen=model._stats_window_size)
    model.action_space.np_random.bit_generator.state = state["action_space"]
    _load_memory(model, state["memory"])
    vec.reset()  # Gymnasium's wrappers insist on it
    for index, environment in enumerate(state["environments"]):
        view.env_method("load_state_dict", environment, indices=index)
    view.raw = state["raw"]
    load_normalizer(vec, state["normalizer"])
    vec.returns = state["returns"]


def normalizer(vec: VecNormalize) -> dict[str, Any]:
    """Return the running statistics of observations and returns."""
    assert isinstance(vec.obs_rms, RunningMeanStd)
    return {"observations": dict(vars(vec.obs_rms)), "returns": dict(vars(vec.ret_rms))}


def load_normalizer(vec: VecNormalize, state: dict[str, Any]) -> None:
    """Take statistics over.

    Raises:
        ValueError: when they are none of these observations.
    """
    for statistics, name in ((vec.obs_rms, "observations"), (vec.ret_rms, "returns")):
        own, found = vars(statistics), state[name]
        if set(found) != set(own) or any(np.shape(found[key]) != np.shape(own[key]) for key in own):
            raise ValueError(f"statistics of {name} with other names or shapes")
        if np.any(np.asarray(found["var"]) < 0):
            raise ValueError(f"a negative variance of {name}")
        own.update(found)


def _memory(model: BaseAlgorithm) -> dict[str, Any]:
    """Return the transitions and recurrent states that the algorithm keeps between rollouts."""
    memory: dict[str, Any] = {"window": getattr(model, "recent", {})}
    buffer = getattr(model, "replay_buffer", None)
    if isinstance(buffer, ReplayBuffer):
        arrays = {name: getattr(buffer, name)[: buffer.size()] for name in REPLAYED}
        memory["replay"] = {"pos": buffer.pos, "full": buffer.full, "arrays": arrays}
    lstm = getattr(model, "_last_lstm_states", None)
    if lstm is not None:
        memory["lstm"] = [list(lstm.pi), list(lstm.vf)]
    return memory


def _load_memory(model: Any, memory: dict[str, Any]) -> None:
    if memory["window"]:
        model.recent = memory["window"]
    if "replay" in memory:
        buffer, replay = model.replay_buffer, memory["replay"]
        buffer.pos, buffer.full = replay["pos"], replay["full"]
        for name, values in replay["arrays"].items():
            getattr(buffer, name)[: len(values)] = values
    if "lstm" in memory:
        pi, vf = (tuple(part.to(model.device) for part in parts) for parts in memory["lstm"])
        model._last_lstm_states = RNNStates(pi, vf)
