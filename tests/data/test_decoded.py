"""The cache of decoded images: the same numbers, whatever is or is not in the folder."""

import os
import shutil
import stat

import pytest
import torch

from tests.data.test_classes import write_split
from unlearn_gym.data.readers import decoded, parquet, pixels
from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.storage.cache import CACHE_VARIABLE

FORM = PixelFormat(1, 6, 6)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and a threshold that small test files pass."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(decoded, "WORTH", 3)
    return tmp_path / "cache" / decoded.FOLDER


@pytest.fixture
def decodings(monkeypatch):
    """Names of the files that were decoded, in order."""
    made = []

    def counted(files, form, source):
        made.append(source)
        return pixels.decode_bytes(files, form, source)

    monkeypatch.setattr(parquet, "decode_bytes", counted)
    return made


@pytest.fixture
def file(tmp_path):
    write_split(tmp_path / "images", "train", [3, 1, 4, 1, 5], size=6, channels=1)
    return next((tmp_path / "images").iterdir())


def read(file, choose=None, form=FORM, keep=True):
    return parquet.read_parquet([file], form, choose, keep=keep).as_set()


def same(one, other):
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.labels, other.labels)


def test_a_second_reading_decodes_nothing_and_gives_the_same_bits(file, cache, decodings):
    plain = read(file, keep=False)
    assert not cache.exists()
    first, second = read(file), read(file)
    assert same(plain, first) and same(plain, second)
    assert second.inputs.dtype == torch.float32 and second.inputs.is_contiguous()
    assert len(decodings) == 2 and len(list(cache.iterdir())) == 1


def test_wherever_the_file_lies_and_whenever_it_was_written(file, tmp_path, decodings):
    first = read(file)
    moved = shutil.copyfile(file, tmp_path / "other.parquet")
    os.utime(moved, (0, 0))
    assert same(first, read(moved)) and len(decodings) == 1


def test_another_content_at_the_same_path_is_another_entry(file, cache, decodings):
    first = read(file)
    write_split(file.parent, "train", [3, 1, 4, 1, 5, 9], size=6, channels=1)
    again = read(file)
    assert len(again) == 6 and not torch.equal(again.inputs[:5], first.inputs)
    assert len(decodings) == 2 and len(list(cache.iterdir())) == 2


def test_rows_and_form_are_part_of_the_key(file, decodings):
    whole = read(file)
    rows = [torch.tensor([0, 2, 4]), torch.tensor([1, 2, 4])]
    for chosen in [*rows, *rows]:
        assert torch.equal(read(file, lambda labels, chosen=chosen: chosen).inputs, whole.inputs[chosen])
    assert read(file, form=PixelFormat(3, 6, 6)).inputs.shape == (5, 3, 6, 6)
    assert len(decodings) == 4


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "foreign", "folder"])
def test_a_damaged_entry_is_made_anew(file, cache, decodings, damage):
    first = read(file)
    entry = next(cache.iterdir())
    whole = entry.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    torch_file = whole.replace(b'"pixels"', b'"pixles"')
    contents = {
        "empty": b"",
        "cut": whole[:-7],
        "flipped": flipped,
        "text": b"no tensors",
        "foreign": torch_file,
    }
    if damage == "folder":
        entry.unlink()
        entry.mkdir()
    else:
        entry.write_bytes(contents[damage])
    assert same(first, read(file)) and len(decodings) == 2
    assert entry.read_bytes() == whole and list(cache.iterdir()) == [entry]
    assert same(first, read(file)) and len(decodings) == 2


def test_a_folder_that_cannot_be_written_changes_nothing(file, tmp_path, monkeypatch, decodings):
    (tmp_path / "taken").write_text("a file where the cache folder should be")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "taken"))
    assert same(read(file), read(file)) and len(decodings) == 2


def test_a_full_disk_leaves_nothing_behind(file, cache, monkeypatch, decodings):
    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decoded, "save_file", full)
    assert same(read(file), read(file)) and len(decodings) == 2
    assert not list(cache.iterdir())


def test_few_images_and_the_users_own_are_not_kept(file, cache, monkeypatch):
    monkeypatch.setattr(decoded, "WORTH", 6)
    read(file)
    assert not cache.exists()


def test_resized_images_are_not_kept_so_the_warning_comes_each_time(file, cache):
    for _ in range(2):
        with pytest.warns(UserWarning, match="were resized to 4x4"):
            read(file, form=PixelFormat(1, 4, 4))
    assert not cache.exists()


def test_an_entry_can_be_read_by_others_like_any_file(file, cache):
    read(file)
    mode = stat.S_IMODE(next(cache.iterdir()).stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    assert mode == 0o666 & ~mask


def test_what_was_converted_is_not_taken_for_exact(tmp_path):
    file = tmp_path / "a.parquet"
    file.write_bytes(b"x")
    rows = torch.arange(3)
    assert decoded._key(file, rows, FORM) != decoded._key(file, rows, PixelFormat(1, 6, 6, exact=True))
