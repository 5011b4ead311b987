"""Training and evaluation as one call each."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unlearn_gym
from unlearn_gym.errors import UserError

PAGE = Path(__file__).parents[1] / "docs" / "notebook.md"
STEPS = {"hyperparameters": {"n_steps": 10, "batch_size": 5}, "progress_bar": False}


def test_an_agent_is_trained_evaluated_and_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = unlearn_gym.train("Quadratic-v0", "ppo", steps=20, seed=1, **STEPS)
    assert run.resolve() == tmp_path / "runs" / "ppo"
    monkeypatch.setattr("unlearn_gym.agents.training.train", None)
    assert unlearn_gym.train("Quadratic-v0", "ppo", steps=20, seed=1, **STEPS) == run  # nothing is left to do
    with pytest.raises(UserError, match="seed=2 differs from 1"):
        unlearn_gym.train("Quadratic-v0", "ppo", steps=20, seed=2, **STEPS)

    # rich in a notebook does not write, but displays
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda segments, text: pytest.fail(f"displayed {text}"))
    report = unlearn_gym.evaluate("Quadratic-v0", agents=["static:0.5", run], seeds=2, output="report")
    assert not capsys.readouterr().out  # a notebook shows the report, once
    assert list(report.rows) == ["before", "static:0.5", str(run)]
    written = json.loads((tmp_path / "report" / "results.json").read_text())
    mean = written["agents"]["static:0.5"]["metrics"]["return"]["mean"]
    assert report.rows["static:0.5"]["return"].mean == mean
    for shown in (str(report), report._repr_html_()):
        assert "static:0.5" in shown and "forget_" in shown and str(report.path) in shown
    assert report._repr_html_().count("<tr>") == 4 and report.path.is_file()
    assert written["command"].startswith("unlearn_gym.evaluate(env_id='Quadratic-v0', agents=['static:0.5', ")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: unlearn_gym.train("Quadratic-v0", "static:0.5"), "nothing to learn; train one of"),
        (lambda: unlearn_gym.train("Quadratic-v0", steps=0), "train: total_timesteps: "),
        (
            lambda: unlearn_gym.evaluate("Quadratic-v0", ["random"], sampels=3),
            "evaluate: 'sampels' is not known",
        ),
        (lambda: unlearn_gym.evaluate("Quadratic-v0", ["random"], rows={}), "'rows' is none of its options"),
        (lambda: unlearn_gym.evaluate("Quadratic-v0", ["nobody"]), "The agent 'nobody' is not known"),
    ],
)
def test_what_cannot_be_called_is_one_sentence(call, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence):
        call()


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 3 and "forget_loss" in names["report"].rows["static:0.5"]
    assert names["env"].action_space.contains(names["lam"])


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'torch', 'diffusers', 'stable_baselines3'} & set(sys.modules)"
    code = f"import sys, unlearn_gym; print({heavy}, dir(unlearn_gym))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("set()") and "'evaluate'" in done.stdout
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = unlearn_gym.trian
