import json
import multiprocessing
import time

import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.models import store
from unlearn_gym.models.store import ensure, find, spec_key

SPEC = {"a": 1, "b": [1, 2]}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path))
    return tmp_path


class Maker:
    """Writes one file and counts how often it was asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, folder):
        self.calls += 1
        (folder / "sub").mkdir()
        (folder / "sub" / "weights").write_bytes(b"weights")


def slow_make(folder):
    """Take a while, and leave a mark outside the entry, one line a call."""
    with (folder.parent / "made").open("a") as log:
        log.write("x\n")
    time.sleep(0.3)
    (folder / "weights").write_bytes(b"weights")


def ask(_):
    return str(ensure("slow", SPEC, slow_make))


def test_made_once_and_described(cache):
    make = Maker()
    folder = ensure("kind", SPEC, make)
    assert ensure("kind", SPEC, make) == folder and make.calls == 1
    assert folder == cache / "models" / f"kind-{spec_key(SPEC)[:16]}"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["spec"] == SPEC and list(manifest["sha256"]) == ["sub/weights"]


def test_key_depends_on_values_and_not_on_order():
    assert spec_key(SPEC) == spec_key({"b": [1, 2], "a": 1})
    assert spec_key(SPEC) != spec_key({**SPEC, "a": 2})
    make = Maker()
    assert ensure("kind", SPEC, make) != ensure("kind", {**SPEC, "a": 2}, make)
    assert make.calls == 2


def flip_a_bit(folder):
    file = folder / "sub" / "weights"
    file.write_bytes(b"weightz")


def lose_a_file(folder):
    (folder / "sub" / "weights").unlink()


def add_a_file(folder):
    (folder / "more").write_text("")


def cut_the_manifest(folder):
    (folder / "manifest.json").write_text('{"spec": ')


def nest_the_manifest(folder):
    (folder / "manifest.json").write_text("[" * 100_000)


@pytest.mark.parametrize("damage", [flip_a_bit, lose_a_file, add_a_file, cut_the_manifest, nest_the_manifest])
def test_damage_is_noticed_kept_aside_and_mended(damage):
    make = Maker()
    folder = ensure("kind", SPEC, make)
    for number in range(2):
        damage(folder)
        with pytest.warns(UserWarning, match="does not match its checksums"):
            ensure("kind", SPEC, make)
        assert folder.with_name(f"{folder.name}.damaged-{number}").is_dir()
        assert (folder / "sub" / "weights").read_bytes() == b"weights"
        assert make.calls == number + 2


def test_failure_leaves_nothing_behind(cache):
    def fail(folder):
        (folder / "half").write_text("half")
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck"):
        ensure("kind", SPEC, fail)
    assert [path.suffix for path in (cache / "models").iterdir()] in ([], [".lock"])
    assert ensure("kind", SPEC, Maker()).is_dir()


def test_what_a_killed_process_left_is_removed(cache):
    folder = cache / "models" / f"kind-{spec_key(SPEC)[:16]}"
    leftover = folder.with_name(f".{folder.name}.tmp-abcdefgh")
    leftover.mkdir(parents=True)
    ensure("kind", SPEC, Maker())
    assert folder.is_dir() and not leftover.exists()


def test_eight_processes_make_it_once(cache):
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        folders = pool.map(ask, range(8), chunksize=1)
    assert len(set(folders)) == 1
    assert (cache / "models" / "made").read_text() == "x\n"


def test_a_cache_that_cannot_be_made_is_a_sentence(cache, monkeypatch):
    (cache / "file").write_text("")
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(cache / "file"))
    with pytest.raises(UserError, match="cannot be written; set UNLEARN_GYM_CACHE"):
        ensure("kind", SPEC, Maker())


@pytest.fixture
def shipped(cache, monkeypatch):
    """A model that came with the package, made by moving a cached one."""
    made = ensure("kind", SPEC, Maker())
    folder = cache / "shipped" / made.name
    folder.parent.mkdir()
    made.rename(folder)
    monkeypatch.setattr(store, "SHIPPED", folder.parent)
    return folder


def test_a_shipped_model_is_found_before_the_cache(shipped, cache):
    make = Maker()
    assert find("kind", SPEC) == shipped and find("kind", {**SPEC, "a": 2}) is None
    assert ensure("kind", SPEC, make) == shipped
    assert make.calls == 0 and not list((cache / "models").glob("kind-*[!k]"))


@pytest.mark.parametrize("damage", [flip_a_bit, lose_a_file, add_a_file, cut_the_manifest, nest_the_manifest])
def test_a_damaged_shipped_model_is_not_used(shipped, cache, damage):
    damage(shipped)
    assert find("kind", SPEC) is None
    make = Maker()
    with pytest.warns(UserWarning, match="do not match their checksums"):
        folder = ensure("kind", SPEC, make)
    assert folder.parent == cache / "models" and make.calls == 1
    assert shipped.is_dir()  # the package is not written to


def test_names_in_the_manifest_are_the_same_on_every_system(shipped):
    assert list(json.loads((shipped / "manifest.json").read_text())["sha256"]) == ["sub/weights"]
