"""Folders that are replaced: whole or not at all, whenever the writer dies, and nobody else's files."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.storage import files, temporaries
from unlearn_gym.storage.files import PENDING, atomic_directory, atomic_write, settle, write_text

OLD, NEW = {"a": "1", "b/c": "1", "b/d": "1"}, {"a": "2", "b/c": "2", "b/d": "2"}


def write(folder, content):
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def save(folder, content):
    with atomic_directory(folder) as temporary:
        write(temporary, content)


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in Path(folder).rglob("*") if p.is_file()}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class Killed(BaseException):
    pass


def killed_at(monkeypatch, step, act):
    """Run ``act`` and die before its ``step``-th change of the file system; say whether it came that far."""
    counter = itertools.count()

    def dying(original):
        def call(*args, **keywords):
            if next(counter) == step:
                os._exit(9)
            return original(*args, **keywords)

        return call

    child = os.fork()
    if child == 0:
        for owner, name in (
            *((os, name) for name in ("rename", "replace", "rmdir", "unlink", "mkdir", "fsync", "chmod")),
            (temporaries.shutil, "rmtree"),
        ):
            monkeypatch.setattr(owner, name, dying(getattr(owner, name)))
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_folder_is_old_or_new_after_a_kill_at_every_step(tmp_path, monkeypatch):
    steps = 0
    for step in itertools.count():
        target = tmp_path / str(step)
        save(target, OLD)
        if not killed_at(monkeypatch, step, lambda target=target: save(target, NEW)):
            break
        settle(target)
        found = {name: text for name, text in content(target).items() if not name.startswith(".new.tmp-")}
        assert found in (OLD, NEW), step
        save(target, NEW)
        assert content(target) == NEW and not (target / PENDING).exists(), step
        assert not [name for name in names(target) if name.startswith(".")], step
        steps += 1
    assert steps >= 8  # fsync three files, make it final, three moves, tidy


def test_new_folder_and_file_are_whole_or_missing_after_a_kill_at_every_step(tmp_path, monkeypatch):
    def act(target):
        save(target / "d", NEW)
        write_text(target / "f", "2")

    for step in itertools.count():
        target = tmp_path / str(step)
        target.mkdir()
        if not killed_at(monkeypatch, step, lambda target=target: act(target)):
            break
        assert not (target / "d").exists() or content(target / "d") == NEW
        assert not (target / "f").exists() or (target / "f").read_text() == "2"
        act(target)
        assert names(target) == ["d", "f"]
    assert step >= 6


SAVER = """
import sys
from pathlib import Path
from unlearn_gym.storage.files import atomic_directory
for number in range(10**9):
    with atomic_directory(sys.argv[1]) as folder:
        for name in "abcdef":
            (folder / name).write_text(f"{number:09d}" * 1000)
    print(number, flush=True)
"""


def test_folder_survives_sigkill_at_any_moment(tmp_path):
    target = tmp_path / "d"
    for pause in (0.0, 0.003, 0.007, 0.011, 0.017):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, target], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        settle(target)
        assert len({(target / name).read_text() for name in "abcdef"}) == 1
    save(target, dict.fromkeys("abcdef", "x"))
    assert names(target) == list("abcdef") and names(tmp_path) == ["d"]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path):
    for target in (tmp_path / "new", tmp_path / "old"):
        (tmp_path / "old").mkdir(exist_ok=True)
        with pytest.raises(RuntimeError), atomic_directory(target) as folder:
            (folder / "a").write_text("half")
            raise RuntimeError
    assert names(tmp_path) == ["old"] and names(tmp_path / "old") == []


@pytest.mark.parametrize("other", ["thesis.tex", "b/thesis.tex", "b/e/f", ".git/config", "unet/x"])
def test_folders_with_the_files_of_others_are_refused_and_untouched(other, tmp_path):
    mixed = {**OLD, other: "mine"}
    write(tmp_path, mixed)
    with pytest.raises(UserError, match="give a new folder, or move that away") as error:
        save(tmp_path, NEW)
    assert other.split("/")[0] in str(error.value) and content(tmp_path) == mixed


def test_links_are_not_followed_out_of_the_folder(tmp_path):
    write(tmp_path / "elsewhere", {"c": "theirs"})
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="holds b,"):
        save(tmp_path / "d", NEW)
    assert content(tmp_path / "elsewhere") == {"c": "theirs"}


def test_what_desktops_leave_is_no_obstacle(tmp_path):
    write(tmp_path / "d", {**OLD, ".DS_Store": "x", "b/Thumbs.db": "x"})
    save(tmp_path / "d", NEW)
    assert content(tmp_path / "d").items() >= NEW.items()


def test_home_the_working_directory_and_links(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save("~/d", OLD)
    write_text("~/f", "1")
    assert content(tmp_path / "d") == OLD and (tmp_path / "f").read_text() == "1"
    for place, path in (("d", "."), ("d/b", ".."), ("d/b", tmp_path / "d"), ("", "./d/")):
        monkeypatch.chdir(tmp_path / place)
        save(path, NEW)
        assert os.getcwd() == str(tmp_path / place) and content(tmp_path / "d") == NEW
        save(path, OLD)
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "link.txt").symlink_to("f")
    save(tmp_path / "link", NEW)
    write_text(tmp_path / "link.txt", "2")
    assert content(tmp_path / "d") == NEW and (tmp_path / "link").is_symlink()
    assert (tmp_path / "f").read_text() == "2" and (tmp_path / "link.txt").is_symlink()


def test_bad_targets_are_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "broken").symlink_to("nowhere")
    for target in (tmp_path / "file", tmp_path / "broken", tmp_path / "file" / "below", "/dev/null/x"):
        with pytest.raises(UserError, match=Path(target).name):
            save(target, NEW)
    with pytest.raises(UserError, match="is a folder"):
        write_text(tmp_path, "x")
    with pytest.raises(UserError, match="nosuchuser"):
        write_text("~nosuchuser/x", "x")

    def denied(*args, **keywords):
        raise PermissionError(13, "Permission denied")

    for owner, name in ((temporaries.tempfile, "mkdtemp"), (temporaries.tempfile, "mkstemp")):
        monkeypatch.setattr(owner, name, denied)
    for act in (lambda: save(tmp_path / "d", NEW), lambda: write_text(tmp_path / "t", "x")):
        with pytest.raises(UserError, match=r"cannot be written \(Permission denied\); give a path"):
            act()
    assert names(tmp_path) == ["broken", "file"] and (tmp_path / "file").read_text() == "mine"


FULL = """
import resource, sys
from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import atomic_directory, atomic_write
from safetensors.torch import save_file
import torch
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
for act in (atomic_directory, atomic_write):
    for tensors in (True, False):
        try:
            with act(sys.argv[1]) as path:
                path = path / "a" if act is atomic_directory else path
                if tensors:
                    save_file({"a": torch.zeros(10_000)}, path)
                else:
                    path.write_bytes(bytes(40_000))
        except UserError as error:
            print(error)
"""


@pytest.mark.parametrize("old", ["file", "folder"])
def test_a_disk_without_room_is_a_sentence_and_changes_nothing(old, tmp_path):
    target = tmp_path / "x"
    (save(target, {"a": "old"}) if old == "folder" else write_text(target, "old"))
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, target],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 4, done.stderr
    assert sum("free some space" in line and "File too large" in line for line in lines) == 2, lines
    assert names(tmp_path) == ["x"]
    assert content(target) == {"a": "old"} if old == "folder" else target.read_text() == "old"


def test_errors_of_whoever_writes_are_their_own(tmp_path):
    for act in (atomic_write, atomic_directory):
        with pytest.raises(FileNotFoundError), act(tmp_path / "x"):
            (tmp_path / "not there").read_text()


def test_leftovers_of_the_dead_are_swept_those_of_the_living_stay(tmp_path):
    dead = [tmp_path / ".a.tmp-abcdefgh.txt", tmp_path / ".d.tmp-abcdefgh"]
    dead[0].touch()
    dead[1].mkdir()
    theirs = [
        tmp_path / ".a.tmp-mine.txt",
        tmp_path / ".aa.tmp-abcdefgh.txt",
        tmp_path / ".a.tmp-abcdefgh.png",
    ]
    for path in theirs:
        path.touch()
    with atomic_write(tmp_path / "a.txt") as living, atomic_directory(tmp_path / "d") as folder:
        write_text(tmp_path / "a.txt", "2")
        save(tmp_path / "d", NEW)
        assert living.exists() and folder.exists() and not any(path.exists() for path in dead)
        write(folder, OLD)
    assert content(tmp_path / "d") == OLD  # of two writers the later one, whole
    assert all(path.exists() for path in theirs)
    temporaries.sweep(tmp_path)
    assert names(tmp_path) == [".a.tmp-mine.txt", "a.txt", "d"]


def test_two_writers_at_once_leave_one_of_the_two(tmp_path):
    contents = [dict.fromkeys("abcdefgh", str(number)) for number in range(4)]
    failed = []

    def work(mine):
        try:
            for _ in range(20):
                save(tmp_path / "d", mine)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and content(tmp_path / "d") in contents and files.PENDING not in names(tmp_path / "d")


def test_a_model_is_saved_into_a_folder_that_is_itself_being_written(tmp_path):
    with atomic_directory(tmp_path / "store") as outer, atomic_directory(outer) as inner:
        (inner / "model").write_text("weights")
    assert [path.name for path in tmp_path.rglob("*")] == ["store", "model"]
