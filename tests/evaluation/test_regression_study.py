"""The regression study, as small as it can be."""

import json

import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.studies import run_study
from unlearn_gym.evaluation.studies.regression import Constant

SMALL = {
    "draws": 2,
    "tuning_draws": 1,
    "shares": [0.1, 0.45],
    "correlations": [0.0, 0.9],
    "lambdas": [0.0, 0.4],
    "horizon": 60,
    "agent_steps": 7,
}


def test_report_with_lifts_intervals_and_pictures(tmp_path):
    asked = []

    def train(name, env, steps, folder, hyperparameters):
        asked.append((name, steps, folder.name))
        assert env.action_space.high[0] == 0.5
        return Constant(0.0)

    files = run_study("emse_polynomial", SMALL, tmp_path, train, "the command")
    assert asked == [("ppo", 7, "ppo-linear-7"), ("ppo", 7, "ppo-likelihood-7")]
    names = ["results.json", "report.md", "fits.png", "shares.png", "sweep.png", "dependence.png"]
    assert [path.name for path in files] == names and all(path.stat().st_size for path in files)
    results = json.loads(files[0].read_text())
    scores = {
        method: [r["scores"]["r2_wanted"] for r in results["rows"]
                 if (r["method"], r["problem"]) == (method, "45% unwanted")]
        for method in ("before", "EMSE linear, ppo", "refit")
    }  # fmt: skip
    assert max(scores["before"]) < 0.45 and min(scores["EMSE linear, ppo"]) > 0.95
    assert len(scores["refit"]) == 2
    report = files[1].read_text()
    assert "the command" in report and "breast cancer" in report and "±" in report


def test_bad_studies(tmp_path):
    with pytest.raises(UserError, match="emse_polynomial"):
        run_study("emse", {}, tmp_path, None, "")
    with pytest.raises(UserError, match="allowed are draws"):
        run_study("emse_polynomial", {"draw": 3}, tmp_path, None, "")
    with pytest.raises(UserError, match="draws=1"):
        run_study("emse_polynomial", {"draws": 1}, tmp_path, None, "")
