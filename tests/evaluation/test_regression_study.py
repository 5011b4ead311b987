"""The regression study, as small as it can be."""

import json
import re
from dataclasses import replace
from functools import partial

import pytest

from unlearn_gym.cli.evaluate import entry, trained
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry, Experiment, evaluate
from unlearn_gym.evaluation.studies import Pipeline, run_study
from unlearn_gym.methods.closed_form import CLOSED_FORMS

from .tiny_agents import Constant, constant

SMALL = {
    "draws": 2,
    "tuning_draws": 1,
    "shares": [0.1, 0.45],
    "correlations": [0.9],
    "lambdas": [0.0],
    "objectives": ["linear"],
    "horizon": 60,
    "agent_steps": 7,
}
PICTURES = ("fits", "shares", "sweep", "dependence")
POLYNOMIAL = "unlearn_gym/EMSE-Polynomial-v0"


def pipeline(folder, asked=None):
    """Constants as they are, and λ = 0 in the place of an agent that has to learn."""

    def lineup(env_id, env_kwargs, rows, part):
        entries = []
        for name, row in rows.items():
            if row["agent"] in CLOSED_FORMS:
                entries.append(entry(row["agent"]))
                continue
            lam = 0.0 if "train" in row else float(row["agent"].partition(":")[2])
            if "train" in row and asked is not None:
                asked.append((name, row["train"]["total_timesteps"], row["train"]["env_kwargs"]["draw"]))
            kind = "other" if "train" in row else "static"
            entries.append(
                Entry(name, partial(Constant, lam), kind, env_kwargs=row["env_kwargs"], group=row["group"])
            )
        return tuple(entries)

    return Pipeline(folder, 1, lineup, "the command")


def test_report_with_lifts_intervals_and_pictures(tmp_path):
    asked = []
    files = run_study("emse_polynomial", SMALL, pipeline(tmp_path, asked))
    assert set(asked) == {("EMSE linear, ppo", 7, None)}
    names = ["results.json", "report.md", "report.html", *(f"{name}.png" for name in PICTURES)]
    assert [path.name for path in files] == names and all(path.stat().st_size for path in files)
    found = json.loads(files[0].read_text())["experiments"]["45% unwanted"]
    rows = found["agents"] | found["references"]
    before, after, newton, retrained = (
        rows[name]["metrics"]["r2_wanted"]["values"]
        for name in ("before", "EMSE linear, ppo", "newton", "retrained")
    )
    assert newton == pytest.approx(retrained, abs=1e-5)
    assert max(before) < 0.45 and min(after) > 0.95
    assert found["seeds"] == [0, 1] and len(retrained) == 2
    report = files[1].read_text()
    assert "the command" in report and "breast cancer" in report and re.search(r"\d \(\S+ to \S+\)", report)


def test_a_study_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("unlearn_gym.evaluation.studies.regression_report.draw_study", lambda *_: [])
    settings = SMALL | {"horizon": 2}
    results, *_ = run_study("emse_polynomial", settings, pipeline(tmp_path))
    content = results.read_bytes()
    records = sorted((tmp_path / "runs").glob("*.json"))
    for lost in records[::5]:
        lost.unlink()
    kept = {path: path.stat().st_mtime_ns for path in records if path.exists()}
    run_study("emse_polynomial", settings, pipeline(tmp_path))
    assert results.read_bytes() == content and sorted((tmp_path / "runs").glob("*.json")) == records
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())


def test_its_rows_are_those_of_a_comparison(tmp_path):
    row = {"agent": "static:0.2", "group": "linear", "env_kwargs": {"objective": "linear"}}
    (entry,) = trained(POLYNOMIAL, {}, {"a row": row}, output=tmp_path, jobs=1)
    assert (entry.name, entry.kind, entry.group) == ("a row", "static", "linear")


def test_every_seed_may_be_another_problem(tmp_path):
    experiment = Experiment(POLYNOMIAL, (constant(0.1),), (3, 4), {"horizon": 2}, seeded="draw")
    both = evaluate(experiment, tmp_path, progress=False)
    for place, seed in enumerate(experiment.seeds):
        alone = replace(experiment, seeds=(0,), env_kwargs={"horizon": 2, "draw": seed}, seeded="")
        single = evaluate(alone, tmp_path / str(seed), progress=False)
        for name in ("before", "retrained"):
            assert both.row(name)["r2_wanted"].values[place] == single.row(name)["r2_wanted"].values[0]


def test_what_is_left_is_measured_on_the_problem_of_its_seed(tmp_path):
    """The environment draws another problem at each reset; a resumed experiment finds it again."""
    cheap = replace(constant(0.1), name="cheap", env_kwargs={"state": "lagged"})
    experiment = Experiment(POLYNOMIAL, (constant(0.1), cheap), (3, 4), {"horizon": 2, "draw": None})
    found = evaluate(experiment, tmp_path, progress=False)
    assert found.row("cheap")["r2_wanted"] == found.row("static:0.1")["r2_wanted"]
    for seed in experiment.seeds:
        found.paths["retrained", seed].unlink()
    again = evaluate(experiment, tmp_path, progress=False)
    assert again.row("retrained") == found.row("retrained")


def test_bad_studies(tmp_path):
    for name, settings, sentence in (
        ("emse", {}, "emse_polynomial"),
        ("emse_polynomial", {"draw": 3}, "allowed are draws"),
        ("emse_polynomial", {"draws": 1}, "draws=1"),
        ("emse_polynomial", {"closed_forms": ["newtn"]}, "closed_forms has 'newtn'; choose from newton"),
    ):
        with pytest.raises(UserError, match=sentence):
            run_study(name, settings, pipeline(tmp_path))
