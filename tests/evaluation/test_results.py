import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from unlearn_gym.evaluation import Entry, Experiment, evaluate
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.report.publish import show
from unlearn_gym.evaluation.report.results_file import as_json, save_results
from unlearn_gym.evaluation.report.sentences import conclusion, mean_and_half, number, spread
from unlearn_gym.evaluation.report.tables import (
    STAR,
    Grid,
    class_grid,
    deviation_grid,
    main_grid,
    pair_grid,
    robust_grid,
)
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import Summary


@pytest.fixture
def results(experiment, tmp_path):
    return evaluate(experiment, tmp_path, progress=False)


def made_up(values, experiment=None):
    """Results with given returns: name → one number a seed."""
    records = tuple(
        Record(name, seed, {"return": value})
        for name, row in values.items()
        for seed, value in enumerate(row)
    )
    return Results(
        experiment or made_up_experiment(values), records, ("return",), ("return",), ("return", "return")
    )


def made_up_experiment(values):
    agents = tuple(
        Entry(name, object, "static" if name.startswith("static") else "learned") for name in values
    )
    return Experiment("unlearn_gym/Quadratic-v0", agents, tuple(range(len(next(iter(values.values()))))))


def test_schema(experiment, results, tmp_path):
    found = as_json(results, "python evaluate.py", tmp_path)
    path, timed = save_results(found, results, tmp_path)
    content = json.loads(path.read_text())
    assert set(json.loads(timed.read_text())["noisy"]) == {"seconds_per_update"}
    assert "seconds" not in path.read_text()  # what the clock says is in the other file
    assert content["env"] == "unlearn_gym/Quadratic-v0"
    assert content["seeds"] == [1000, 1001, 1002, 1003]
    assert content["command"] == "python evaluate.py"
    assert set(content["agents"]) == {"static:0.5", "static:0.7", "noisy"}
    assert set(content["references"]) == {"before"}
    for agent in content["agents"].values():
        for metric in agent["metrics"].values():
            assert set(metric) == {"values", "mean", "std", "ci95", "better"}
            assert len(metric["values"]) == 4
            assert metric["ci95"][0] <= metric["mean"] <= metric["ci95"][1]
            assert metric["better"] in ("higher", "lower")
    for pair in content["pairs"]:
        assert set(pair) == {"a", "b", "metric", "difference", "ci95"}
        assert pair["a"] == "noisy"
    assert {pair["b"] for pair in content["pairs"] if pair["metric"] == "return"} == {"static:0.7"}
    assert all((tmp_path / record).is_file() for row in content["runs"].values() for record in row)


def test_best_static_follows_the_direction(experiment, results):
    assert results.best_static("return") == "static:0.7"
    assert results.best_static("retain_loss") == "static:0.5"
    alone = replace(results, experiment=replace(experiment, entries=experiment.entries[2:]))
    assert alone.best_static("return") is None


def test_pairs_are_paired():
    values = {"static:0.1": [1.0, 5.0, 9.0], "static:0.2": [0.0, 0.0, 0.0], "ppo": [2.0, 6.0, 10.0]}
    (pair,) = made_up(values).against_static
    assert (pair.a, pair.b, pair.summary.mean) == ("ppo", "static:0.1", 1.0)
    assert pair.summary.ci95 == pytest.approx((1.0, 1.0))
    assert pair.outcome == "better"


@pytest.mark.parametrize(
    ("learned", "overall", "own"),
    [
        (
            [2.0, 3.1, 4.2],
            "On 1 of 1 key metrics",
            "ppo against the best static agent by each metric: better on return ↑ (by",
        ),
        ([0.0, 1.1, 2.2], "No learned agent is better", "worse on return ↑ (by 0.900 against static:0.1;"),
        ([5.0, 1.1, 0.2], "No learned agent is better", "no difference seen on return ↑."),
    ],
)
def test_the_conclusion_follows_the_numbers(learned, overall, own):
    values = {"static:0.1": [1.0, 2.0, 3.0], "ppo": learned}
    sentences = conclusion(made_up(values))
    assert sentences[0].startswith(overall)
    assert own in sentences[1]


def test_the_conclusion_claims_nothing_without_material():
    values = {"static:0.1": [1.0], "ppo": [2.0]}
    assert "one seed" in conclusion(made_up(values))[0]
    values = {"ppo": [2.0, 3.0]}
    assert "No static agent" in conclusion(made_up(values))[0]


def test_a_failed_metric_is_left_out_instead_of_averaged():
    values = {"static:0.1": [1.0, math.nan], "ppo": [2.0, 3.0]}
    found = made_up(values)
    assert "return" not in as_json(found, "", Path())["agents"]["static:0.1"]["metrics"]
    assert main_grid(found, ["return"]).rows[0] == ("static:0.1", "–")


def test_one_seed_has_no_interval(experiment, tmp_path):
    single = replace(experiment, seeds=(1000,))
    results = evaluate(single, tmp_path, progress=False)
    assert main_grid(results, ["forget_loss"]).rows[0] == ("before", "0.500")
    grid = pair_grid(results.against_static, ["return"], name_other=False)
    assert grid.rows[0][-1].endswith("open")


def test_tables(results):
    grid = main_grid(results, ["return", "retain_loss"])
    assert grid.columns == ("agent", "return ↑", "retain_loss ↓")
    assert [row[0] for row in grid.rows] == ["before", "static:0.5", "static:0.7", "noisy"]
    assert STAR in grid.rows[2][1] and STAR not in grid.rows[1][1]
    assert grid.markdown().count("\n") == 5
    assert grid.rich("title").row_count == 4
    assert len(robust_grid(results, ["return"]).rows) == 3


def test_a_narrow_terminal_cuts_no_number(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    columns = tuple(f"metric_{k} ↑" for k in range(9))
    show(
        Grid(("rule", *columns), (("a rule of a very long name " * 3, *["0.123 ± 0.045"] * 9),)).rich(
            "title"
        ),
        (),
        (),
    )
    printed = capsys.readouterr().out
    assert printed.count("0.123") == printed.count("± 0.045") == 9 and "…" not in printed


def test_time_is_not_compared(results):
    assert results.best_static("seconds_per_update") is None
    assert all(pair.metric != "seconds_per_update" for pair in results.against_static)


def test_digits_follow_the_interval():
    assert mean_and_half(Summary((), 28.345, 1.0, (26.225, 30.465))) == "28.3 ± 2.1"
    assert mean_and_half(Summary((), -0.07102, 1.0, (-0.07176, -0.07028)), "★") == "−0.07102★ ± 0.00074"
    assert mean_and_half(Summary((), 3e-5, 1.0, (2e-5, 4e-5))) == "3.00e−05 ± 1.00e−05"
    assert mean_and_half(Summary((), 0.5, 0.0, (0.5, 0.5))) == "0.500 ± 0.000"
    assert mean_and_half(Summary((), 0.5, None, None)) == "0.500"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (0.1234, "0.123"),
        (-1.5, "−1.50"),
        (12.34, "12.3"),
        (1234.5, "1234"),
        (1e-5, "1.00e−05"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_names_with_pipes_do_not_break_the_table():
    values = {"static:0.1": [1.0, 2.0], "a|b": [1.0, 2.0]}
    assert "a\\|b" in main_grid(made_up(values), ["return"]).markdown()


VALUES = {
    "static:0.1": [1.0, 2.0, 3.0],
    "static:0.9": [2.0, 3.1, 4.2],
    "other 0.1": [9.0, 9.0, 9.0],
    "ppo": [2.5, 3.5, 4.5],
}


def grouped(values=VALUES):
    """The rows of VALUES, the third one static in a group of its own."""
    agents = made_up_experiment(VALUES).entries
    agents = tuple(
        replace(agent, kind="static", group="other") if agent.name.startswith("other") else agent
        for agent in agents
    )
    experiment = replace(made_up_experiment(VALUES), entries=agents, baseline="static:0.1")
    return made_up(values, experiment)


def test_an_auc_whose_best_value_is_one_half_has_no_winner():
    rows = {"static:0.1": [0.5], "static:0.9": [0.1], "learned": [0.9]}
    found = made_up(rows)
    for record in found.records:
        record.values["mia_auc"] = record.values["mia_auc_calibrated"] = record.values["return"]
    found = replace(found, metrics=("return", "mia_auc", "mia_auc_calibrated"))
    assert found.best_static("return") == "static:0.1"
    assert found.best_static("mia_auc") is found.best_static("mia_auc_calibrated") is None
    assert {pair.metric for pair in found.against_static} == {"return"}


def test_the_best_static_agent_is_of_the_same_group():
    found = grouped()
    assert found.best_static("return") == "static:0.9"
    assert found.best_static("return", "other") == "other 0.1"
    (pair,) = found.against_static
    assert (pair.a, pair.b) == ("ppo", "static:0.9")
    stars = {row[0] for row in main_grid(found, ["return"]).rows if STAR in row[1]}
    assert stars == {"static:0.9", "other 0.1"}


def test_everything_is_compared_with_the_baseline_too():
    found = grouped()
    compared = {pair.a: pair.summary.mean for pair in found.against_baseline}
    assert compared == pytest.approx({"static:0.9": 1.1, "other 0.1": 7.0, "ppo": 1.5})
    assert replace(found, experiment=replace(found.experiment, baseline="")).against_baseline == ()
    grid = pair_grid(found.against_baseline, ["return"], name_other=False)
    assert grid.rows[0] == ("static:0.9", "+1.10 ± 0.25 better")
    assert pair_grid(found.against_static, ["return"], name_other=True).rows[0][1].endswith("(static:0.9)")
    assert {pair["b"] for pair in as_json(found, "", Path())["pairs"]} == {
        "static:0.9",
        "static:0.1",
    }


def test_how_much_a_constant_matters_is_said_for_every_group():
    (sentence,) = spread(grouped())
    assert "return 2.00 (static:0.1) to 3.10 (static:0.9), too few seeds to tell from chance" in sentence


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ([2.0, 3.1, 4.2, 5.0, 6.1, 7.0], "a difference beyond chance (p = 0.0"),
        ([-5.0, 3.1, 9.0, 3.0, 5.1, 6.0], "within chance (p = "),
    ],
)
def test_best_and_worst_constants_are_compared_by_a_test_that_knows_they_were_chosen(best, said):
    values = {"static:0.1": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "static:0.9": best}
    assert said in spread(made_up(values))[0]


def test_few_seeds_are_shown_themselves():
    few, many = {"static:0.1": [1.0, 2.0, 3.0]}, {"static:0.1": [*map(float, range(10))]}
    assert robust_grid(made_up(few), ["return"]).rows[0][1] == "1.00, 2.00, 3.00"
    assert robust_grid(made_up(many), ["return"]).rows[0][1].startswith("4.50 (")


def test_shares_have_intervals_inside_their_range():
    records = tuple(Record("ppo", seed, {"concept_rate": 0.0, "balance": 0.9 + seed / 10}) for seed in (0, 1))
    found = Results(
        made_up_experiment({"ppo": [0.0, 0.0]}),
        records,
        ("concept_rate", "balance"),
        (),
        ("return", "return"),
        samples={"concept_rate": 300},
    )
    assert found.row("ppo")["concept_rate"].ci95 == pytest.approx((0.0, 1 - 0.025 ** (1 / 600)))
    assert found.row("ppo")["balance"].ci95[1] < 1.0
    assert main_grid(found, found.metrics).rows[0][1] == "0.000 (0.000 to 0.006)"


def test_deviations_are_those_of_the_seeds():
    assert deviation_grid(grouped(), ["return"]).rows[0] == ("static:0.1", "2.0 ± 1.0")


def test_class_by_class_means_are_over_seeds():
    experiment = made_up_experiment({"ppo": [0.0, 0.0]})
    records = tuple(
        Record("ppo", seed, {}, classes={"fid": {"0": value, "1": 2 * value}})
        for seed, value in enumerate((1.0, 3.0))
    )
    found = Results(experiment, records, (), (), ("return", "return"))
    assert list(found.by_class) == ["fid"]
    grid = class_grid(found, "fid")
    assert (grid.columns, grid.rows) == (("agent", "0", "1"), (("ppo", "2.00", "4.00"),))
