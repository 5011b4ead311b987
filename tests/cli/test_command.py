import os
import re
import signal
import subprocess
import sys
import time
import warnings

import pytest

from unlearn_gym import cli, configs
from unlearn_gym.cli import main
from unlearn_gym.errors import UserError
from unlearn_gym.models.supervised.tasks import get_supervised_task
from unlearn_gym.runtime.stopping import SIGNALS, Stopped


def test_listing_names_ids_agents_and_cache(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path))
    assert main([]) == 0
    printed = capsys.readouterr().out
    for part in ("unlearn_gym/SISS-Digits-v0", "ppo", str(tmp_path)):
        assert part in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "There is no task 'nothing'; choose one of cifar10, cifar10-random, digits, intr"),
        (["digits", "--forget-class", "3"], "forget_class was given, but the task 'digits' has no options"),
        (["emse-digits", "--fraction", "nan"], "fraction: "),
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
    assert printed.startswith("error: ") and printed.count("\n") == 1


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_shows_examples_that_can_be_read_and_only_the_options_of_the_command(command, capsys):
    with pytest.raises(SystemExit) as left:
        cli.run(command, ["--help"])
    printed = capsys.readouterr().out
    assert left.value.code in (0, None)
    examples = [
        line.partition("    (")[0]
        for line in printed.splitlines()
        if line.startswith(f"unlearn-gym {command}")
    ]
    options = set(re.findall(r"^  --(\w+)", printed, re.MULTILINE))
    for example in examples:
        flags = re.findall(r"--([a-z-]+)", example.replace("--experiment", "").replace("--no-", "--"))
        assert {flag.replace("-", "_") for flag in flags} <= options
    assert examples and ("methods" in options) == (command == "benchmark")
    assert ("study" in options) is False


def test_the_overview_names_every_command(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in cli.COMMANDS)


def test_what_is_no_diffusion_model_starts_without_diffusers():
    commands = ", ".join(
        f"unlearn_gym.cli.{name}" for name in ("listing", "train", "evaluate", "study", "tune")
    )
    make = "gymnasium.make('unlearn_gym/EMSE-Polynomial-v0').reset(seed=0)"
    code = f"import sys, gymnasium, {commands}; {make}; assert 'diffusers' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_nobody_reads_on():
    command = f"{sys.executable} -m unlearn_gym list | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == "" and done.stdout.splitlines()[0] == "Environments (gymnasium.make):"
    assert done.stdout.splitlines()[1] in ("0", "141")


def test_a_closed_output_ends_without_a_word():
    code = "import sys; from unlearn_gym import cli; sys.exit(cli.main(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (cli.BROKEN_PIPE, "")


@pytest.mark.parametrize("words", [["study"], ["study", "--list"]])
def test_experiments_are_listed(words, capsys):
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^mnist_trousers_quick +Experiment A in minutes", printed, re.MULTILINE)
    names = {line.split("  ")[0] for line in printed.splitlines()}
    assert names == set(configs.experiments())  # whatever their lengths, apart from what they are


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["study", "nothing"], "There is no experiment 'nothing'"),
        (
            ["study", "siss_lambda", "--settings.sampels", "3"],
            "The experiment 'siss_lambda': 'sampels' is not known",
        ),
        (["study", "siss_lambda", "--samples", "3"], "'--samples' is not known; allowed are engine, address"),
        (
            ["study", "emse_polynomial", "--seeds", "3"],
            "'emse_polynomial' takes no seeds; change its settings",
        ),
        (["benchmark", "digit"], "There is no benchmark 'digit'"),
        (
            ["benchmark", "--samples", "3"],
            "'--samples' is not known; allowed are engine, address, gpus, benchmark",
        ),
    ],
)
def test_what_is_no_benchmark_or_study_is_a_sentence(words, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {sentence}") and printed.count("\n") == 1


def test_a_study_is_its_file_with_what_was_changed(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr("unlearn_gym.cli.evaluate.start", lambda *words: given.append(words))
    words = ["siss_lambda", "--seeds", "2", "--jobs", "1", "--settings.samples", "7", "--output", "x"]
    assert main(["study", *words]) == 0
    options, command = given[0]
    assert (options.seeds, options.jobs, options.samples, options.output) == (2, 1, 7, "x")
    assert options.env == "unlearn_gym/SISS-Digits-v0" and "adaptive_vi:variance" in options.agents
    assert command == "unlearn-gym study siss_lambda --seeds 2 --settings.samples 7 --output x"


@pytest.mark.slow
def test_a_benchmark(tmp_path):
    words = (
        "digits --methods emse --agents static:0.1 --epochs 1 --pretrain-epochs 1 --fraction 0.1 --seeds 1"
    )
    report = tmp_path / "report"
    assert main(["benchmark", *words.split(), "--output", str(report)]) == 0
    assert "unlearn-gym benchmark digits --methods emse" in (report / "report.md").read_text()


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
    monkeypatch.setattr(f"unlearn_gym.cli.{command}.main", lambda *_: ended_by())
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
    assert task.found("original") and task.found("retrained")
    assert get_supervised_task("digits", fraction=0.1, pretrain_epochs=1).found("retrained") is None
    assert main(["prepare", "emse-digits", *options]) == 0
    assert capfd.readouterr().err == ""


def test_the_precision_belongs_to_trainings_that_have_it(capsys):
    assert main(["prepare", "digits", "--precision", "bfloat16"]) == 0
    assert main(["prepare", "vae-digits", "--precision", "bfloat16"]) == 2
    assert "precision was given, but the task 'vae-digits' has no options" in capsys.readouterr().err


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
    assert "samples: " in capsys.readouterr().err


def test_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "unlearn_gym", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "prepare" in done.stdout


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (None, 0, ""),
        (UserError("two\n  lines"), 2, "error: two lines\n"),
        (
            PermissionError(13, "no", "x"),
            2,
            "error: [Errno 13] no: 'x'; give a path that can be read and written.\n",
        ),
        (
            KeyboardInterrupt(),
            130,
            "stopped by SIGINT; what was finished is kept: run the same command again",
        ),
        (
            Stopped(signal.SIGTERM),
            143,
            "stopped by SIGTERM; what was finished is kept: run the same command again",
        ),
    ],
)
def test_why_it_ended_is_one_sentence(error, status, printed, capsys):
    def main():
        if error:
            raise error

    ended = cli.status(main)
    said = capsys.readouterr().err
    assert ended == status and said.startswith(printed) and said.count("\n") <= 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_heard_once_and_the_old_handlers_come_back(number, status, capsys):
    at_start = {each: signal.getsignal(each) for each in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    before = [signal.getsignal(each) for each in SIGNALS]

    def main():
        os.kill(os.getpid(), number)
        while True:  # until the handler runs
            time.sleep(0.01)

    try:
        assert cli.status(main) == status
        assert [signal.getsignal(each) for each in SIGNALS] == before
    finally:
        for each, handler in at_start.items():
            signal.signal(each, handler)
    assert capsys.readouterr().err.startswith(f"stopped by {number.name}; ")


def test_warnings_of_this_package_are_sentences(capsys):
    def warn():
        for file in ("site-packages/unlearn_gym/data/x.py", "site-packages/torch/x.py"):
            print(warnings.formatwarning("one\n  two", UserWarning, file, 1, "code()"))

    assert cli.status(warn) == 0
    ours, _, theirs = capsys.readouterr().out.partition("\n")
    assert ours == "warning: one two" and "UserWarning: one" in theirs
    assert "UserWarning" in warnings.formatwarning("after", UserWarning, "unlearn_gym/x.py", 1)


@pytest.mark.parametrize(
    ("given", "meant"),
    [([], None), (["classes.json"], "classes.json"), (["cat", "dog"], ["cat", "dog"])],
)
def test_class_names_are_a_file_or_words(given, meant, monkeypatch, capsys):
    asked = []

    def run(sources, *_):
        asked.append(sources.class_names)
        raise UserError("enough")

    monkeypatch.setattr("unlearn_gym.cli.apply.run", run)
    words = ["apply", "--model", "m", "--retain", "keep", "--forget", "forget", "--output", "out"]
    assert main([*words, *(["--class-names", *given] if given else [])]) == 2
    assert asked == [meant] and "enough" in capsys.readouterr().err
