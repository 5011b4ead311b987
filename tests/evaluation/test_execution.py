import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from unlearn_gym.agents import resolve
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry, EvaluatorSettings, Experiment, evaluate
from unlearn_gym.evaluation.records import Record, load_record, save_record

from .tiny_agents import Constant, Noisy, constant


def test_rows_and_values(experiment, tmp_path):
    results = evaluate(experiment, tmp_path, progress=False)
    assert {record.name for record in results.records} == {"before", "static:0.5", "static:0.7", "noisy"}
    assert results.metrics == ("return", "retain_loss", "forget_loss", "seconds_per_update")
    best = [sum(record.values["return"] for record in results.of(f"static:{lam}")) for lam in (0.5, 0.7)]
    assert best[1] > best[0]  # the optimum of the environment is 0.7
    assert [record.values["forget_loss"] for record in results.of("before")] == [0.5] * 4


def test_a_changed_file_of_the_user_is_another_run(experiment, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("one")
    mine = replace(experiment, env_kwargs={"model": str(model), "objective": "siss"})
    before = mine.key("noisy", 0)
    assert before == mine.key("noisy", 0)
    (model / "weights").write_text("other")
    assert mine.key("noisy", 0) != before


def test_finished_runs_are_not_made_again(experiment, tmp_path):
    evaluate(replace(experiment, seeds=(1000,)), tmp_path, progress=False)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    evaluate(experiment, tmp_path, progress=False)
    assert len(list((tmp_path / "runs").iterdir())) == 4 * len(written)
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())


def test_an_interrupted_experiment_keeps_what_was_finished(experiment, tmp_path):
    class Interrupted(Exception):
        pass

    def fail(env):
        raise Interrupted

    class Fails(Constant):
        def predict(self, *args, **kwargs):
            raise Interrupted

    broken = Entry("broken", lambda env: Fails(0.5, env))
    with pytest.raises(Interrupted):
        evaluate(replace(experiment, entries=(constant(0.5), broken)), tmp_path, progress=False)
    assert [path.name[:19] for path in (tmp_path / "runs").glob("static-*.json")] == ["static-0.5-seed1000"]
    assert not list((tmp_path / "runs").glob("broken*"))


def test_other_settings_are_other_runs(experiment):
    key = experiment.key("noisy", 1000)
    changed = (
        replace(experiment, env_kwargs={"noise": 0.0}),
        replace(experiment, evaluator=EvaluatorSettings(samples=7)),
        replace(experiment, entries=(Entry("noisy", Noisy, fingerprint="other weights"),)),
    )
    assert len({key, experiment.key("noisy", 1001), *(other.key("noisy", 1000) for other in changed)}) == 5


def test_an_entry_may_run_in_a_setting_of_its_own(experiment, tmp_path):
    own = replace(constant(0.5), name="short", env_kwargs={"horizon": 3}, group="short")
    results = evaluate(replace(experiment, entries=(constant(0.5), own)), tmp_path, progress=False)
    assert {len(run.rewards) for run in results.runs("short")} == {3}
    alone = evaluate(
        replace(experiment, entries=(constant(0.5),), env_kwargs={"horizon": 3}),
        tmp_path / "alone",
        progress=False,
    )
    values = [
        [record.values["retain_loss"] for record in found.of(name)]
        for found, name in ((results, "short"), (alone, "static:0.5"))
    ]
    assert values[0] == values[1]
    assert all(len(run.rewards) > 3 for run in results.runs("static:0.5"))


@pytest.mark.slow
def test_processes_give_the_same_numbers(experiment, tmp_path):
    experiment = replace(experiment, entries=(Entry("random", partial(resolve, "random")),))
    alone = evaluate(experiment, tmp_path / "1", progress=False)
    both = evaluate(experiment, tmp_path / "2", jobs=2, progress=False)
    assert [run.rewards for run in alone.runs("random")] == [run.rewards for run in both.runs("random")]


def test_record_survives_the_disk(tmp_path):
    pictures = {"forget label": np.arange(48, dtype=np.uint8).reshape(3, 4, 4, 1)}
    record = Record("before", 3, {"a": 1.5, "b": math.nan}, None, pictures)
    save_record(record, tmp_path / "x.json")
    found = load_record(tmp_path / "x.json")
    assert found.values["a"] == 1.5
    assert math.isnan(found.values["b"])
    np.testing.assert_array_equal(found.pictures["forget label"], pictures["forget label"])
    assert json.loads((tmp_path / "x.json").read_text())["values"]["b"] is None


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "a list": lambda path: path.write_text("[]"),
    "empty": lambda path: path.write_text("{}"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe"),
    "nested": lambda path: path.write_text("[" * 100_000),
    "a digit": lambda path: path.write_text(path.read_text().replace('"seed": 1000', '"seed": 1001')),
    "other pictures": lambda path: path.with_suffix(".npz").write_bytes(b"PK"),
    "no pictures": lambda path: path.with_suffix(".npz").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_record_is_made_again(damage, experiment, tmp_path):
    experiment = replace(experiment, entries=(constant(0.5),), seeds=(1000,))
    expected = evaluate(experiment, tmp_path, progress=False)
    record, path = expected.of("static:0.5")[0], expected.paths["static:0.5", 1000]
    record.pictures["squares"] = np.zeros((1, 2, 2, 1), np.uint8)
    save_record(record, path)
    damage(path)
    with pytest.raises(UserError, match="is damaged; delete it"):
        load_record(path)
    with pytest.warns(UserWarning, match="static-0.5-seed1000.* is damaged; this run is made again"):
        found = evaluate(experiment, tmp_path, progress=False)
    assert found.of("static:0.5")[0].run.rewards == record.run.rewards
    assert load_record(path).seed == 1000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seeds": ()}, "at least 1"),
        ({"entries": ()}, "at least one"),
        ({"entries": (constant(0.5), constant(0.5))}, "'static:0.5' is taken"),
        ({"entries": (Entry("before", Noisy),)}, "'before' is taken"),
    ],
)
def test_bad_experiments(experiment, change, sentence):
    with pytest.raises(UserError, match=sentence):
        replace(experiment, **change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"env_id": "unlearn_gym/Nothing-v0"}, "choose one of .*Quadratic-v0"),
        ({"env_id": "no_such_module:X-v0"}, "The module 'no_such_module' cannot be imported"),
        ({"env_kwargs": {"colour": 1}}, "no keyword 'colour'; allowed are best_lambda"),
        ({"metrics": ("fid_forget",)}, "does not measure 'fid_forget'"),
        ({"metrics": ("fud",)}, "no metric 'fud'"),
        ({"entries": (Entry("mute", lambda env: object()),)}, "no predict"),
    ],
)
def test_bad_input_is_refused_before_any_run(experiment, change, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        evaluate(replace(experiment, **change), tmp_path, progress=False)
    assert not (tmp_path / "runs").exists()


def test_an_agent_of_another_observation_space_is_refused(tmp_path):
    class Wide(Constant):
        observation_space = np.zeros(9)

    experiment = Experiment("unlearn_gym/Quadratic-v0", (Entry("wide", lambda e: Wide(0.5, e)),), (0,))
    with pytest.raises(UserError, match=r"shape \(9,\)"):
        evaluate(experiment, tmp_path, progress=False)


def test_no_processes_are_refused(experiment, tmp_path):
    with pytest.raises(UserError, match="jobs=0"):
        evaluate(experiment, tmp_path, jobs=0)
