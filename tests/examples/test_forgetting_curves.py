"""The example that measures how soon objectives forget, on a few samples."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "examples" / "forgetting_curves.py"


@pytest.fixture
def curves(monkeypatch):
    spec = importlib.util.spec_from_file_location("forgetting_curves", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "UPDATES", (1, 2))
    return module


def run(curves, monkeypatch, output, *words):
    asked = ["--samples", "4", "--class-samples", "1", "--sampling-steps", "2", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", [FILE.name, *asked, *words])
    curves.main()


def test_measures_once_and_writes_table_and_picture(curves, monkeypatch, tmp_path, capsys):
    run(curves, monkeypatch, tmp_path, "--seeds", "1", "posterior:0.5")
    found = json.loads((tmp_path / "curves.json").read_text())
    assert list(found["posterior:0.5"]["1000"]["updates"]) == ["1", "2"]
    assert set(found) == {"settings", "before", "posterior:0.5", "retrained"}
    assert all(0 <= share <= 1 for share in found["before"]["1000"]["updates"]["0"].values())
    assert list(found["retrained"]["1000"]["relearned"]) == ["10", "20", "50"]
    table = (tmp_path / "curves.md").read_text()
    assert "| posterior:0.5 |" in table and table.strip() in capsys.readouterr().out
    assert (tmp_path / "curves.png").stat().st_size > 5000
    # a second call measures what is not there yet, and nothing else
    measured = []
    before = curves.measure
    monkeypatch.setattr(curves, "measure", lambda *a: measured.append(a[:2]) or before(*a))
    run(curves, monkeypatch, tmp_path, "--seeds", "1", "posterior:0.5", "siss:0.5")
    assert measured == [("siss:0.5", 1000)]


def test_intervals_of_shares_stay_inside_and_know_the_samples(curves):
    assert curves._cell([0.0, 0.0, 0.0], 200) == "0.000 (0.000–0.006)"
    mean, low, high = map(float, re.findall(r"[01]\.\d+", curves._cell([1.0, 0.995, 0.9], 200)))
    assert 0 < low < mean < high <= 1
    assert curves._cell([0.25], 200) == "0.250"


def test_other_settings_are_another_folder(curves, monkeypatch, tmp_path):
    (tmp_path / "curves.json").write_text(json.dumps({"settings": {"task": "trousers"}}))
    with pytest.raises(SystemExit, match="another --output"):
        run(curves, monkeypatch, tmp_path, "posterior:0.5")
