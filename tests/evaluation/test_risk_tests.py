"""Certificates: the tables of exact bounds, and coverage by simulation."""

import numpy as np
import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.risk_tests import (
    Risk,
    bonferroni,
    fixed_sequence,
    joint_p_value,
    seeds_sentence,
    trials_needed,
    upper_bound,
)


@pytest.mark.parametrize(
    "limit, at_05, at_10", [(0.2, 14, 11), (0.1, 29, 22), (0.05, 59, 45), (0.02, 149, 114), (0.01, 299, 230)]
)
def test_trials_needed_without_a_failure(limit, at_05, at_10):
    assert (trials_needed(limit, 0.05), trials_needed(limit, 0.1)) == (at_05, at_10)
    assert Risk(0, at_05, limit).p_value <= 0.05 < Risk(0, at_05 - 1, limit).p_value


@pytest.mark.parametrize(
    "n, none, one", [(5, 0.451, 0.657), (10, 0.259, 0.394), (20, 0.139, 0.216), (59, 0.050, 0.078)]
)
def test_upper_bounds(n, none, one):
    assert upper_bound(0, n, 0.05) == pytest.approx(none, abs=6e-4)
    assert upper_bound(1, n, 0.05) == pytest.approx(one, abs=6e-4)
    assert upper_bound(n, n, 0.05) == 1.0


def test_five_seeds_certify_little():
    assert "nothing better than 45%" in seeds_sentence(5)


def test_no_more_rows_than_delta_allows_are_wrong():
    """Rows exactly at their limits are all wrong; with many draws at most a share δ may be certified."""
    rng, draws, delta = np.random.default_rng(0), 2000, 0.05
    wrong = {"fixed": 0, "bonferroni": 0}
    for _ in range(draws):
        risks = {
            f"row {k}": [Risk(int(rng.binomial(200, limit)), 200, limit) for limit in (0.05, 0.1)]
            for k in range(4)
        }
        p_values = {name: joint_p_value(each) for name, each in risks.items()}
        wrong["fixed"] += bool(fixed_sequence(p_values, delta))
        wrong["bonferroni"] += bool(bonferroni(p_values, delta))
    error = 3 * (delta * (1 - delta) / draws) ** 0.5
    assert max(wrong.values()) / draws <= delta + error


def test_one_risk_alone_is_tested_at_its_level():
    rng, draws = np.random.default_rng(1), 2000
    passed = sum(Risk(int(rng.binomial(300, 0.02)), 300, 0.02).p_value <= 0.05 for _ in range(draws))
    assert 0.005 < passed / draws <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5


def test_a_fixed_sequence_stops_at_the_first_failure():
    p_values = {"a": 0.01, "b": 0.2, "c": 0.001}
    assert fixed_sequence(p_values, 0.05) == ("a",)
    assert bonferroni(p_values, 0.05) == ("a", "c")


@pytest.mark.parametrize("delta", [0, 1, -0.1, 5])
def test_what_is_no_probability_is_refused(delta):
    with pytest.raises(UserError, match="between 0 and 1"):
        fixed_sequence({"a": 0.1}, delta)
