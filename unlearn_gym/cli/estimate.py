"""Estimate what agents would return from episodes that another one logged, without running them.

unlearn-gym evaluate --env Weighted-Digits-v0 --agents runs/ppo --seeds 50 --deterministic false --log-trajectories ppo
unlearn-gym estimate --dataset ppo --agents runs/ppo runs/longer

Seeds replay exactly, so that running the agents is the better answer wherever it can be paid for.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jsonargparse.typing import ClosedUnitInterval
from rich.table import Table

from unlearn_gym.agents.common import specs
from unlearn_gym.agents.common.online import OnlineLearner
from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.off_policy.estimators import ESTIMATORS, Estimate, estimate, evidence_for
from unlearn_gym.evaluation.report.publish import show
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.checks import one_of
from unlearn_gym.trajectories import datasets


@dataclass
class Options:
    """Which agents, and from which episodes.

    Args:
        dataset: name of a Minari data set that a stochastic policy was logged in.
        agents: stochastic policies, as ``evaluate`` takes them.
        estimators: importance sampling of whole episodes (``is``), per decision (``pdis``), weighted (``wis``), and
            doubly robust with a fitted Q (``dr``).
        discount: γ of the return.
    """

    dataset: str = ""
    agents: list[str] = field(default_factory=list)
    estimators: list[str] = field(default_factory=lambda: list(ESTIMATORS))
    discount: ClosedUnitInterval = 1.0


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Print a table of estimates, and of each agent that nothing can be said of, why.

    Raises:
        UserError: where nothing can be said of any of them.
    """
    options = command_line.parse(
        Options, words, description=__doc__ or "", program=shlex.join(program), leading="dataset"
    )
    if not options.dataset or not options.agents:
        raise UserError("Give the logged episodes by --dataset NAME, and at least one agent by --agents.")
    for name in options.estimators:
        one_of("estimators", name, ESTIMATORS)
    data = datasets.read(options.dataset)
    if not data.env_id:
        raise UserError(f"The data set {data.name} does not say in which environment it was logged.")
    env = make_env(data.env_id, data.env_kwargs)
    found, refused = dict[str, dict[str, Estimate]](), list[UserError]()
    for text in options.agents:
        try:
            found[text] = estimates(_fixed(specs.parse(text).make(env), text), data, options)
        except UserError as error:
            refused.append(error)
    env.close()
    if not found:
        raise refused[0]
    logged = sum(episode.total(options.discount) for episode in data.episodes) / len(data.episodes)
    sentences = [f"Return of the {len(data.episodes)} logged episodes: {logged:.4g}.", *map(str, refused)]
    show(_table(found, options, data.name), sentences, ())


def estimates(agent: Any, data: datasets.DataSet, options: Options) -> dict[str, Estimate]:
    """Return the estimates of an agent, by estimator."""
    evidence = evidence_for(agent, data.episodes, options.discount)
    return {name: estimate(name, evidence) for name in options.estimators}


def _fixed(agent: Any, text: str) -> Any:
    """Refuse a policy that changes while it acts: what it would have learned was not logged."""
    if isinstance(agent, OnlineLearner):
        raise UserError(f"{text} learns while it acts, which logged episodes cannot replay; simulate it.")
    return agent


def _table(found: dict[str, dict[str, Estimate]], options: Options, title: str) -> Table:
    table = Table(
        "agent", *(f"{name} ± s.e." for name in options.estimators), "effective sample size", title=title
    )
    for text, row in found.items():
        cells = [f"{row[name].value:.4g} ± {row[name].error:.2g}" for name in options.estimators]
        table.add_row(text, *cells, f"{next(iter(row.values())).effective:.1f}")
    return table
