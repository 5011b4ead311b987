"""The example that asks shadow models: its table, and that it finds what is to be found."""

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "examples" / "u_lira.py"


def table(monkeypatch, capsys, *words):
    """Return row → AUC of U-LiRA, as the example prints them."""
    spec = importlib.util.spec_from_file_location("u_lira", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", [FILE.name, *words])
    module.main()
    lines = [line.split("|") for line in capsys.readouterr().out.strip().splitlines()[2:]]
    return {line[1].strip(): float(line[2].split()[0]) for line in lines}


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["linear"], "'linear' is no objective:λ"),
        (["linear:5"], "λ from 0 to 1"),
        (["linear:nan"], "λ from 0 to 1"),
        (["nothing:0.1"], "give one of linear"),
        (["--pairs", "1"], "at least 2 pairs"),
        (["--pool", "9999"], "--pool of 2 to 754"),
        (["--pool", "-3"], "--pool of 2 to 754"),
        (["--updates", "0"], "at least 1 update"),
    ],
)
def test_wrong_words_are_one_sentence_before_any_training(words, sentence, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        table(monkeypatch, capsys, *words)
    assert sentence in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_what_a_network_knows_by_heart_is_told_and_what_it_never_met_is_not(monkeypatch, capsys):
    found = table(monkeypatch, capsys, "linear:0.05", "--pairs", "6", "--pool", "40")
    assert list(found) == ["before", "linear:0.05", "retrained"]
    assert found["before"] > 0.8 and 0.4 < found["retrained"] < 0.6
    assert abs(found["linear:0.05"] - 0.5) < found["before"] - 0.5
