import os
import signal
import subprocess
import sys

import pytest

from unlearn_gym.__main__ import main
from unlearn_gym.models.supervised.tasks import get_supervised_task


def test_listing_names_ids_agents_and_cache(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path))
    assert main([]) == 0
    printed = capsys.readouterr().out
    for part in ("unlearn_gym/SISS-Digits-v0", "ppo", str(tmp_path)):
        assert part in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "There is no task 'nothing'; choose one of digits, trousers (diffusion models) or emse-digits"),
        (["digits", "--forget-class", "3"], "forget_class was given, but the diffusion task 'digits' has no options"),
        (["emse-digits", "--fraction", "nan"], "fraction=nan was given"),
        (["emse-digits", "--pretrain-epochs", "0"], "pretrain_epochs=0"),
        (["emse-digits", "--forget-class", "10"], "forget_class=10 is not in 'digits'"),
    ],
)  # fmt: skip
def test_what_cannot_be_prepared_is_a_sentence(arguments, sentence, capsys):
    assert main(["prepare", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


@pytest.mark.parametrize(
    "words",
    [
        ["no_such"],
        ["--no-such-flag"],
        ["list", "surplus"],
        ["check", "--samples", "x"],
        ["prepare", "--device"],
    ],
)
def test_wrong_words_are_one_sentence(words, capsys):
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and printed.endswith(" --help.\n") and printed.count("\n") == 1


@pytest.mark.parametrize(
    ("ended_by", "status", "sentence"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGTERM), 143, "stopped by SIGTERM; "),
        (lambda: os.kill(os.getpid(), signal.SIGINT), 130, "stopped by SIGINT; "),
        (lambda: os.mkdir("/no/such/folder/x"), 2, "error: "),
    ],
)
@pytest.mark.parametrize("command", ["prepare", "check"])
def test_signals_and_the_system_end_in_a_sentence(command, ended_by, status, sentence, capsys, monkeypatch):
    monkeypatch.setattr(f"unlearn_gym.__main__.{command}", lambda *_: ended_by())
    assert main([command, "digits"]) == status
    printed = capsys.readouterr().err
    assert printed.startswith(sentence) and printed.count("\n") == 1


def test_classifiers_are_prepared(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path))
    options = ["--forget-class", "3", "--fraction", "0.1", "--pretrain-epochs", "1"]
    assert main(["prepare", "emse-digits", *options]) == 0
    bars = capfd.readouterr().err
    assert "original digits model" in bars and "retrained digits model" in bars
    task = get_supervised_task("digits", forget_class=3, fraction=0.1, pretrain_epochs=1)
    assert task.is_cached("original") and task.is_cached("retrained")
    assert not get_supervised_task("digits", fraction=0.1, pretrain_epochs=1).is_cached("retrained")
    assert main(["prepare", "emse-digits", *options]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_unknown_device_is_a_sentence_before_anything_is_read(device, capsys, monkeypatch):
    monkeypatch.setattr("unlearn_gym.models.diffusion.tasks.get_task", None)
    assert main(["prepare", "trousers", "--device", device]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: device={device!r} cannot be used here (") and "try cpu" in printed
    assert printed.count("\n") == 1


def test_check_measures_the_models(digits_task, capsys, tmp_path):
    picture = tmp_path / "grid.png"
    assert main(["check", "digits", "--samples", "4", "--picture", str(picture)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("The concept classifier recognises 9") and "held-out" in printed[0]
    cells = {
        line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in printed if "|" in line
    }
    shares = {name: [float(cell) for cell in cells[name]] for name in ("original", "retrained")}
    for row in shares.values():
        assert len(row) == 12 and row[10] == pytest.approx(sum(row[:1] + row[2:10]) / 9, abs=1e-3)
    assert shares["original"][10] > 0.8 and shares["retrained"][11] == 0.0
    assert picture.stat().st_size > 500
    assert main(["check", "digits", "--samples", "0"]) == 2
    assert "samples=0" in capsys.readouterr().err


def test_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "unlearn_gym", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "prepare" in done.stdout
