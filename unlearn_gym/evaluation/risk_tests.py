"""Which rows meet limits with a guarantee: Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052).

Two statements are made. *This model*: with probability at least 1 − δ over the samples every certified row meets all
limits, as judged by the concept classifier. *The procedure*: the share of fresh seeds on which a row meets them,
bounded from below by the seeds that were run. Neither covers other labels, relearning or another data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import scipy

from unlearn_gym.errors import UserError
from unlearn_gym.metrics.glossary import look_up


@dataclass(frozen=True)
class Risk:
    """How often something bad happened in n independent trials.

    Attributes:
        failures: how often.
        trials: n.
        limit: α, the largest rate that is allowed.
    """

    failures: int
    trials: int
    limit: float

    @property
    def p_value(self) -> float:
        """P(at most so many failures | the rate is α): the exact binomial test of "the rate is above α"."""
        return float(scipy.stats.binom.cdf(self.failures, self.trials, self.limit))


MOST = 0.25
"""The largest δ: up to it the binomial test also holds for means over labels, of equally many samples each."""


@dataclass(frozen=True)
class Limits:
    """What rows are to be certified to keep to.

    Attributes:
        shares: metric → the largest value allowed, or the smallest where higher is better.
        delta: δ, the probability with which a certified row may be wrong.
        bonferroni: whether rows are tested whatever their order, and not one after another until the first fails.
    """

    shares: dict[str, float] = field(default_factory=dict)
    delta: float = 0.05
    bonferroni: bool = False

    def __post_init__(self) -> None:
        look_up(self.shares)
        for name, limit in self.shares.items():
            if not 0 < limit < 1:
                raise UserError(
                    f"{name}={limit} is no limit of a share; give one between 0 and 1, such as 0.05."
                )
        if not 0 < self.delta <= MOST:
            raise UserError(f"delta={self.delta} was given; give one above 0 and up to {MOST}, such as 0.05.")

    @classmethod
    def read(cls, words: Sequence[str], delta: float, bonferroni: bool) -> Limits:
        """Read limits as they are written on the command line, such as ``concept_rate=0.02``."""
        shares: dict[str, float] = {}
        for word in words:
            name, _, number = word.partition("=")
            try:
                limit = float(number)
            except ValueError:
                raise UserError(
                    f"certify has {word!r}; write METRIC=LIMIT, such as concept_rate=0.02."
                ) from None
            if name in shares:
                raise UserError(f"certify has {name!r} twice; give each metric one limit.")
            shares[name] = limit
        return cls(shares, delta, bonferroni)

    def check(self, shares: Sequence[str]) -> None:
        """Refuse metrics that are no shares of independent samples where they are to be measured.

        Args:
            shares: those that are.

        Raises:
            UserError: naming the metric and what can be certified.
        """
        for name in self.shares:
            if name not in shares:
                raise UserError(
                    f"{name!r} cannot be certified here; choose from {', '.join(shares) or '(nothing)'}."
                )


def joint_p_value(risks: Sequence[Risk]) -> float:
    """Return the p-value of "some risk is above its limit": the largest of the single ones."""
    return max(risk.p_value for risk in risks)


def fixed_sequence(p_values: Mapping[str, float], delta: float) -> tuple[str, ...]:
    """Return the rows that are certified if they are tested one after another until the first is not.

    Args:
        p_values: row → p-value, in an order that was fixed before the samples were seen; it costs no correction.
        delta: δ, the probability with which one of the returned rows may be wrong.
    """
    _probability(delta)
    passed: list[str] = []
    for name, p in p_values.items():
        if p > delta:
            break
        passed.append(name)
    return tuple(passed)


def bonferroni(p_values: Mapping[str, float], delta: float) -> tuple[str, ...]:
    """Return the rows that are certified whatever their order; arguments as in ``fixed_sequence``."""
    _probability(delta)
    return tuple(name for name, p in p_values.items() if p <= delta / len(p_values))


def upper_bound(failures: int, trials: int, delta: float) -> float:
    """Return the Clopper–Pearson upper bound of a rate: what can be certified at 1 − δ by so many trials."""
    _probability(delta)
    if failures >= trials:
        return 1.0
    return float(scipy.stats.beta.ppf(1 - delta, failures + 1, trials - failures))


def trials_needed(limit: float, delta: float, failures: int = 0) -> int:
    """Return the least number of trials with which so many failures still certify the limit."""
    _probability(delta)
    _probability(limit)
    trials = failures + 1
    while upper_bound(failures, trials, delta) > limit:
        trials += 1
    return trials


def seeds_sentence(seeds: int, delta: float = 0.05) -> str:
    """Say what so many seeds can promise of a fresh one at best."""
    best = upper_bound(0, seeds, delta)
    certify = "1 seed certifies" if seeds == 1 else f"{seeds} seeds certify"
    return (
        f"{certify} nothing better than {best:.0%} about the procedure: even if no seed fails, a fresh one "
        f"may fail with a probability of up to {best:.3f} (at {1 - delta:.0%} confidence)."
    )


def _probability(number: float) -> None:
    if not 0 < number < 1:
        raise UserError(f"{number} was given as a probability; give one between 0 and 1, such as 0.05.")
