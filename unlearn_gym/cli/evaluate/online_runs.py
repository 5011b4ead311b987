"""Rows of agents that were trained online: the network that the run left, and the policy started afresh."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from unlearn_gym.agents.training.config import stored_config
from unlearn_gym.agents.training.folder import UNLEARNED
from unlearn_gym.agents.training.pace import paced
from unlearn_gym.envs.making import registered_kwargs
from unlearn_gym.evaluation import Entry
from unlearn_gym.evaluation.records import file_digest


def entries_of(agent: Entry) -> tuple[Entry, ...]:
    """Return what is measured of an agent: of one that was trained online, the network that its run left as well.

    An online run is itself the unlearning. Its policy, started afresh from the original weights, is a second row, and
    sees as much of t/T at each update as it did in training.
    """
    left = None if agent.run_folder is None else agent.run_folder / UNLEARNED
    if agent.run_folder is None or left is None or not left.is_file():
        return (agent,)
    stored = stored_config(str(agent.run_folder))
    horizon = (registered_kwargs(stored["env"]) | stored["env_kwargs"])["horizon"]
    run = replace(
        agent,
        unlearned=left,
        fingerprint=f"unlearned {file_digest(left)}",
        description="the network at the end of the online run: one run, so that its intervals are of the samples",
    )
    afresh = replace(
        agent,
        name=f"{agent.name}, policy afresh",
        make=partial(paced, agent.make, horizon),
        fingerprint=f"{agent.fingerprint} T={horizon}",
        description=f"the policy of {agent.name}, from the original weights, with t/T as in training",
        run_folder=None,
    )
    return run, afresh
