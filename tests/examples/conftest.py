"""Running an example as its user does, in this process: the imports are the slow part."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def play(monkeypatch, capsys, tmp_path):
    """Call an example with words of a command line, in an empty folder; returns what it printed."""

    def call(name, *words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return call
