"""Data sets go to a folder of the test."""

import pytest


@pytest.fixture(autouse=True)
def datasets_folder(tmp_path, monkeypatch):
    folder = tmp_path / "minari"
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder))
    return folder
