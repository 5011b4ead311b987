"""The benchmark of the digits, as a user calls it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.benchmark.data import scale_sentence
from unlearn_gym.evaluation.benchmark.experiment import (
    BENCHMARKS,
    BenchmarkExperiment,
    Scale,
    benchmark_experiment,
)
from unlearn_gym.evaluation.benchmark.protocol import Protocol
from unlearn_gym.evaluation.benchmark.report import save_report
from unlearn_gym.evaluation.results import Results

SCRIPT = Path(__file__).parents[2] / "evaluate.py"
SMALL = ("--epochs", "1", "--pretrain-epochs", "1", "--fraction", "0.3", "--output", "report")
MIXED = Scale(precision="bfloat16")
MINE = """
class UnlearningMethod:
    def unlearn_step(self, model, retain_batch, forget_batch, optimizer, step, epoch):
        return {result}
"""


def benchmark(*words, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, SCRIPT, "--benchmark", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_report_and_its_second_call(tmp_path):
    (tmp_path / "mine.py").write_text(MINE.format(result='{"loss": 0.5}'), encoding="utf-8")
    words = ("digits", *SMALL, "--methods", "retain_finetune", "scrub", "mine.py", "--agents", "static:0.5")
    first = benchmark(*words, "--seeds", "1", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    heading = text.splitlines()[0]
    assert "scaled down: 1 of 20 unlearning epochs, 1 of 30 pretraining epochs, 30" in heading
    assert "8×8 digits" in text and "340 retain and 38 forget training images" in text
    content = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert list(content["agents"]) == ["retain_finetune", "scrub", "mine.py", "static:0.5"]
    assert set(content["references"]) == {"before", "retrained"}
    assert content["seeds"] == [42] and content["settings"]["env_kwargs"]["horizon"] == 3
    before, mine, retrained = (
        {name: summary["mean"] for name, summary in row["metrics"].items()}
        for row in (
            content["references"]["before"],
            content["agents"]["mine.py"],
            content["references"]["retrained"],
        )
    )
    assert mine == before  # a rule that does nothing
    assert retrained["kl_forget"] == retrained["auc_gap"] == 0.0
    for name in ("benchmark.png", "lambda.png"):
        assert (tmp_path / "report" / name).stat().st_size > 1000

    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "report" / "runs").iterdir()}
    second = benchmark(*words, "--seeds", "2", folder=tmp_path)
    assert second.returncode == 0, second.stderr
    assert len(list((tmp_path / "report" / "runs").iterdir())) == 2 * 6
    assert all(path.stat().st_mtime_ns == time for path, time in records.items())


def test_a_rule_that_breaks_the_contract(tmp_path):
    (tmp_path / "mine.py").write_text(MINE.format(result="0.5"), encoding="utf-8")
    finished = benchmark("digits", *SMALL, "--methods", "mine.py", "--agents", "static:0.5", folder=tmp_path)
    assert finished.returncode == 2
    assert "unlearn_step of 'mine.py' returned a float" in finished.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"benchmark": "imagenet"}, "digits, resnet20-cifar10, vgg16bn-cifar100, mobilenetv2-fmnist"),
        ({"benchmark": "digits", "methods": ("amnesia",)}, "retain_finetune, negative_gradient"),
        ({"benchmark": "digits", "methods": ("none.py",)}, "no file none.py"),
        ({"benchmark": "digits", "scale": Scale(fraction=2.0)}, "fraction"),
        ({"benchmark": "digits", "methods": ("scrub", "scrub")}, "'scrub' is taken"),
        (
            {"benchmark": "digits", "env_kwargs": {"task_kwargs": {"forget_class": 3}}},
            "'task_kwargs' .* fixed",
        ),
    ],
)
def test_bad_input_is_one_sentence(arguments, says):
    with pytest.raises(UserError, match=says) as error:
        benchmark_experiment(**arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("keywords", "says"), [({"epochs": 0}, "epochs=0"), ({"precision": "float16"}, "float32 or bfloat16")]
)
def test_scales_that_are_none(keywords, says):
    with pytest.raises(UserError, match=says):
        Scale(**keywords)


def test_agents_make_as_many_updates_of_the_same_size_as_rules():
    experiment = benchmark_experiment("digits")
    data = experiment.task().data
    assert experiment.env_id == BENCHMARKS["digits"]
    assert experiment.protocol == Protocol(20, 128, 1e-3, pad=1, mirror=False)
    assert experiment.env_kwargs["horizon"] == 20 * -(-len(data.retain) // 128)
    assert experiment.env_kwargs["batch_size"] == 256
    assert experiment.env_kwargs["learning_rate"] == 1e-3 and experiment.env_kwargs["optimizer"] == "adam"
    assert scale_sentence(experiment, "scaled down: ") == ""


def test_the_report_names_the_classes(tmp_path, monkeypatch):
    experiment = benchmark_experiment("digits", ("scrub",))
    task = experiment.task()
    named = replace(task, data=replace(task.data, concepts=("zero", *task.data.concepts[1:])))
    monkeypatch.setattr(BenchmarkExperiment, "task", lambda self: named)
    results = Results(
        experiment, (), ("forget_acc",), (), ("forget_acc", "retain_acc"), class_names=named.data.class_names
    )
    text = save_report(experiment, results, (), "command", tmp_path).read_text(encoding="utf-8")
    assert "images (class 0, zero)" in text and "Classes: 0 zero, 1 1" in text


def test_the_scale_is_part_of_a_records_key():
    keys = {
        benchmark_experiment("digits", ("scrub",), scale=scale).key("scrub", 42)
        for scale in (Scale(), Scale(epochs=1), Scale(pretrain_epochs=1), Scale(fraction=0.5), MIXED)
    }
    assert len(keys) == 5


def test_mixed_passes_are_told_and_reach_methods_and_agents():
    experiment = benchmark_experiment("digits", scale=MIXED)
    assert experiment.protocol.precision == experiment.env_kwargs["precision"] == "bfloat16"
    assert scale_sentence(experiment) == "passes in bfloat16"
