"""Outcomes over requests and seeds: a table (requests, seeds) a row, and what is said of it and of two of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import Interval, Summary, interquartile_mean, summarize

RESAMPLES = 4000
WORST = 0.1
Table = np.ndarray
"""One number for each request and seed, shape (requests, seeds)."""


def table(results: Results, name: str, metric: str, requests: int) -> Table:
    """Return a row's numbers, seeds being consecutive and each request's turn coming round after all others."""
    values = [record.values[metric] for record in results.of(name)]
    return np.asarray(values, dtype=np.float64).reshape(-1, requests).T


def worst_decile(outcomes: Table) -> float:
    """Return the mean over the tenth of the requests, at least one, whose mean over seeds is lowest."""
    means = np.sort(outcomes.mean(1))
    return float(means[: max(1, round(WORST * len(means)))].mean())


def iqm(outcomes: Table) -> float:
    """Return the mean of the middle half of all numbers."""
    return float(interquartile_mean(outcomes.ravel()))


def share_better(difference: Table) -> float:
    """Return the probability of improvement: the share of requests and seeds where a − b > 0; ties count half."""
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def mean(outcomes: Table) -> float:
    """Return the mean over requests and seeds."""
    return float(outcomes.mean())


@dataclass(frozen=True)
class Bootstrapped:
    """A number with its 95 % interval."""

    value: float
    ci95: Interval


def bootstrap(outcomes: Table, statistic: Callable[[Table], float] = mean, seed: int = 0) -> Bootstrapped:
    """Estimate a statistic, with the percentile interval of a bootstrap over requests and, in each, over seeds.

    Requests are drawn with replacement, and then each drawn request's seeds: what is said is about fresh requests of
    the same kind and fresh seeds. Give the table of differences to compare two rows on the same requests and seeds.
    """
    rng = np.random.default_rng(seed)
    requests, seeds = outcomes.shape
    drawn = np.empty(RESAMPLES)
    for k in range(RESAMPLES):
        rows = rng.integers(requests, size=requests)
        columns = rng.integers(seeds, size=(requests, seeds))
        drawn[k] = statistic(np.take_along_axis(outcomes[rows], columns, axis=1))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Bootstrapped(statistic(outcomes), (float(low), float(high)))


def over_contents(outcomes: Table, contents: Sequence[Hashable]) -> Summary:
    """Return the mean over contents, with Student's interval, each content's number being the mean over its budgets.

    A bootstrap over requests takes two budgets of one content for two independent requests. This does not, and so says
    what is known about fresh contents, of which there are few.

    Args:
        outcomes: a row's, or the differences of two.
        contents: what each request asks to forget, one a row of the table.
    """
    means = outcomes.mean(1)
    return summarize(
        [
            float(np.mean([mean for mean, own in zip(means, contents, strict=True) if own == content]))
            for content in dict.fromkeys(contents)
        ]
    )


def oracle(constants: Sequence[Table]) -> np.ndarray:
    """Return each request's best mean over seeds among constants, chosen in hindsight on these seeds, (requests,)."""
    return np.max([outcomes.mean(1) for outcomes in constants], axis=0)


def best(outcomes: Mapping[str, Table]) -> str:
    """Return the name with the highest mean; the first of several."""
    return max(outcomes, key=lambda name: outcomes[name].mean())
