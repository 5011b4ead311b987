"""From records to certificates: which rows of a report meet the limits, and what that says of a fresh seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.risk_tests import (
    Limits,
    Risk,
    bonferroni,
    fixed_sequence,
    joint_p_value,
    seeds_sentence,
    upper_bound,
)
from unlearn_gym.metrics.glossary import GLOSSARY


@dataclass(frozen=True)
class Certificate:
    """What is certified about one row.

    Attributes:
        name: the row.
        certified: whether all its models, one a seed, meet all limits.
        p_value: of "some model of the row is beyond some limit".
        bounds: metric → what its worst model can be certified for alone, at 1 − δ.
        samples: metric → samples of each model.
        seeds: number of seeds.
        missed: seeds whose measured shares are beyond a limit.
        seed_bound: a fresh seed misses the limits with at most this probability, at 1 − δ.
    """

    name: str
    certified: bool
    p_value: float
    bounds: dict[str, float]
    samples: dict[str, int]
    seeds: int
    missed: int
    seed_bound: float


def certificates(rows: Mapping[str, Sequence[Record]], limits: Limits) -> tuple[Certificate, ...]:
    """Test every row.

    A row is as bad as its worst model: its p-value is the largest over seeds and limits, which needs no correction.
    A mean over labels of equally many samples each is tested as one share of all samples, which is conservative in
    the tail (Hoeffding 1956).

    Args:
        rows: row → its records, in the order in which they are tested.
        limits: what they are to keep to.
    """
    p_values = {
        name: max(joint_p_value(list(_risks(record, limits).values())) for record in records)
        for name, records in rows.items()
    }
    passed = (bonferroni if limits.bonferroni else fixed_sequence)(p_values, limits.delta)
    return tuple(
        _certificate(name, records, limits, p_values[name], certified=name in passed)
        for name, records in rows.items()
    )


def _certificate(
    name: str, records: Sequence[Record], limits: Limits, p_value: float, *, certified: bool
) -> Certificate:
    risks = [_risks(record, limits) for record in records]
    bounds = {
        metric: max(upper_bound(each[metric].failures, each[metric].trials, limits.delta) for each in risks)
        for metric in limits.shares
    }
    missed = sum(
        not all(_met(record, metric, limit) for metric, limit in limits.shares.items()) for record in records
    )
    return Certificate(
        name,
        certified,
        p_value,
        {metric: 1 - bound if _high(metric) else bound for metric, bound in bounds.items()},
        {metric: min(each[metric].trials for each in risks) for metric in limits.shares},
        len(records),
        missed,
        upper_bound(missed, len(records), limits.delta),
    )


def _risks(record: Record, limits: Limits) -> dict[str, Risk]:
    """Return metric → how many of a model's samples were bad; all of them where the share is not a number."""
    found = {}
    for metric, limit in limits.shares.items():
        trials, share = record.trials[metric], record.values[metric]
        bad = 1 - share if _high(metric) else share
        failures = trials if bad != bad else round(bad * trials)
        found[metric] = Risk(failures, trials, 1 - limit if _high(metric) else limit)
    return found


def _met(record: Record, metric: str, limit: float) -> bool:
    share = record.values[metric]
    return share >= limit if _high(metric) else share <= limit


def _high(metric: str) -> bool:
    return GLOSSARY[metric].better == "higher"


def explained(limits: Limits, seeds: int) -> list[str]:
    """Say in sentences what the certificates state and what they do not."""
    order = (
        "tested together (Bonferroni), whatever their order"
        if limits.bonferroni
        else "tested in the order of this table until the first that fails, which is free only if the order was chosen "
        "before"
    )
    asked = ", ".join(
        f"{metric} {'≥' if _high(metric) else '≤'} {limit:g}" for metric, limit in limits.shares.items()
    )
    return [
        f"Asked for: {asked}. With probability at least {1 - limits.delta:g} over the samples all models of every "
        f"certified row, one a seed, meet these limits, as judged by the classifier; rows were {order}.",
        "A bound is what the row's worst model can be certified for on that metric alone. Not covered: other labels, "
        "relearning, privacy, other data.",
        seeds_sentence(seeds, limits.delta),
    ]
