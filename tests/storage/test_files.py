import json

import pytest

from unlearn_gym.storage.cache import cache_dir
from unlearn_gym.storage.files import atomic_write, write_json, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "a.txt") as path:
        path.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_writes_make_folders_and_keep_the_suffix(tmp_path):
    with atomic_write(tmp_path / "x" / "a.png") as path:
        assert path.suffix == ".png" and path.parent == tmp_path / "x"
        path.write_bytes(b"1")
    assert names(tmp_path / "x") == ["a.png"]


def test_json_round_trip_and_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2.5]}
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"b": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2.5]}


def test_cache_dir_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path / "c"))
    assert cache_dir() == tmp_path / "c"
    monkeypatch.delenv("UNLEARN_GYM_CACHE")
    assert cache_dir().name == "unlearn_gym"
