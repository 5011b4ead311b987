"""What an unlearned model draws is told by DDIM; the last word has DDPM, which the network was trained for."""

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "examples" / "which_sampler.py"


@pytest.fixture
def which():
    spec = importlib.util.spec_from_file_location("which_sampler", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_prints_a_row_for_every_sampler(which, monkeypatch, capsys):
    words = ["--lambdas", "0.5", "--seeds", "1", "--updates", "2", "--samples", "2", "--ddpm-steps", "3"]
    monkeypatch.setattr(sys, "argv", [FILE.name, *words])
    which.main()
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split("|")[1].strip().split(",")[0] for line in lines[2:]] == [
        "DDPM",
        *["DDIM here", "DDIM of diffusers"] * 2,
    ]


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--lambdas", "5"], "every λ from 0 to 1"),
        (["--env", "Nope-v0"], "Nope-v0' is not known"),
        (["--env", "EMSE-Digits-v0"], "no diffusion model that is told labels"),
    ],
)
def test_wrong_words_are_one_sentence(which, words, sentence, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [FILE.name, *words])
    with pytest.raises(SystemExit):
        which.main()
    assert sentence in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_ddim_shows_what_ddpm_shows_of_a_strongly_unlearned_model(which):
    found = {
        name: label
        for name, (label, _) in which.shares(
            which.unlearned("Weighted-Digits-v0", 0.9, 1000, 200), 100, 1000
        ).items()
    }
    truth = found["DDPM, 1000 steps"]
    assert truth > 0.9 and min(found["DDIM here, 25 steps"], found["DDIM here, 100 steps"]) > truth - 0.1
    assert found["DDIM of diffusers, 25 steps"] < truth - 0.3  # its noise does not fit the clipped image
