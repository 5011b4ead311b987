"""Image files of every kind become the right pixels, or one sentence."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.data.sources import load_images, read_parts
from unlearn_gym.errors import UserError

GREY = {"channels": 1, "size": 4}
COLOUR = {"channels": 3, "size": 4}
RAMP = np.linspace(0, 65535, 16).round().astype(np.uint16).reshape(4, 4)


def read(image, path, form=GREY, **options):
    image.save(path, **options)
    return load_images(path, **form).inputs


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("form", [GREY, COLOUR])
def test_sixteen_bits_keep_their_greys(tmp_path, suffix, form):
    found = read(Image.fromarray(RAMP), tmp_path / f"a.{suffix}", form)
    expected = torch.from_numpy(RAMP.astype(np.float32)) / 32767.5 - 1
    torch.testing.assert_close(found, expected.expand(1, form["channels"], 4, 4), atol=1e-6, rtol=0)


def test_sixteen_bits_beside_eight(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    Image.new("L", (4, 4), 255).save(tmp_path / "b.png")
    found = load_images(tmp_path, **GREY).inputs
    assert found[0].min() == -1 and found[0].max() == 1 and (found[1] == 1).all()


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("1", 1, (1, 1, 1)),
        ("P", 0, (-1, -1, -1)),
        ("L", 51, (-0.6, -0.6, -0.6)),
        ("LA", (255, 255), (1, 1, 1)),
        ("RGBA", (255, 0, 0, 255), (1, -1, -1)),
        ("CMYK", (0, 255, 255, 0), (1, -1, -1)),
    ],
)
def test_modes(tmp_path, mode, value, expected):
    image = Image.new(mode, (4, 4), value)
    if mode == "P":
        image.putpalette([0, 0, 0])
    found = read(image, tmp_path / "a.tif", COLOUR)[0, :, 0, 0].tolist()
    assert found == pytest.approx(expected)


def transparent_palette(path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0])
    image.save(path.with_suffix(".png"), transparency=0)
    return path.with_suffix(".png")


def saved(mode, value, suffix):
    def make(path):
        Image.new(mode, (4, 4), value).save(path.with_suffix(suffix))
        return path.with_suffix(suffix)

    return make


def animation(suffix):
    def make(path):
        frames = [Image.new("RGB", (4, 4), (shade, 0, 0)) for shade in (0, 90, 200)]
        frames[0].save(path.with_suffix(suffix), save_all=True, append_images=frames[1:])
        return path.with_suffix(suffix)

    return make


def truncated(path):
    Image.effect_noise((64, 64), 50).save(path.with_suffix(".png"))
    whole = path.with_suffix(".png").read_bytes()
    path.with_suffix(".png").write_bytes(whole[: len(whole) // 2])
    return path.with_suffix(".png")


def empty(path):
    path.with_suffix(".png").write_bytes(b"")
    return path.with_suffix(".png")


def bomb(path):
    """A PNG of a few bytes that says to be 60,000 pixels wide and high."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    ]
    path.with_suffix(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path.with_suffix(".png")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (saved("RGBA", (255, 0, 0, 254), ".png"), "transparent pixels"),
        (saved("LA", (255, 0), ".png"), "transparent pixels"),
        (transparent_palette, "transparent pixels"),
        (saved("F", 0.5, ".tif"), "floating-point pixels"),
        (saved("I", 70000, ".tif"), "32-bit pixels"),
        (saved("LAB", (50, 0, 0), ".tif"), "CIELAB"),
        (animation(".gif"), "3 frames"),
        (animation(".webp"), "3 frames"),
        (animation(".tif"), "3 frames"),
        (truncated, "not a readable image"),
        (empty, "not a readable image"),
        (bomb, "not a readable image .*decompression bomb"),
    ],
)
def test_what_would_need_a_guess_is_one_sentence(tmp_path, make, sentence):
    file = make(tmp_path / "a")
    for source in (file, tmp_path):
        with pytest.raises(UserError, match=rf"a\..* {sentence}|a\..*{sentence}") as raised:
            load_images(source, **COLOUR)
        assert "\n" not in str(raised.value)


def test_photos_are_turned_upright(tmp_path):
    image = Image.new("L", (4, 4), 0)
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    found = read(image, tmp_path / "a.png", GREY, exif=exif)
    assert found[0, 0, 0, 3] == 1 and found[0, 0, 0, 0] == -1


def test_one_file_many_files_and_opened_images_are_the_same(tmp_path):
    files = [tmp_path / name for name in ("a.png", "b.PNG", "c.tiff", "d.gif")]
    for shade, file in enumerate(files):
        Image.new("L", (4, 4), 60 * shade).save(file)
    expected = load_images(tmp_path, **GREY).inputs
    assert expected.mean((1, 2, 3)).tolist() == pytest.approx([60 * i / 127.5 - 1 for i in range(4)])
    opened = [Image.open(file) for file in files]
    for source in (files, list(map(str, files)), opened, tuple(opened), [opened[0], *files[1:]]):
        assert torch.equal(load_images(source, **GREY).inputs, expected)
    assert torch.equal(load_images(opened[1], **GREY).inputs, expected[1:2])
    pairs = load_images(list(zip(opened, [3, 1, 0, 2], strict=True)), **GREY, num_classes=4)
    assert torch.equal(pairs.inputs, expected) and pairs.labels.tolist() == [3, 1, 0, 2]
    with pytest.raises(UserError, match=r"There is no .*e\.png"):
        load_images([*files, tmp_path / "e.png"], **GREY)


def test_what_is_skipped_is_counted_and_hidden_files_are_not_read(tmp_path):
    (tmp_path / "__MACOSX").mkdir()
    for name in ("._a.png", ".hidden.png", "__MACOSX/._a.png", "notes.txt", "b.heic", "c.heic"):
        (tmp_path / name).write_bytes(b"no image")
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"Files in .* were skipped: 2 \.heic, 1 \.txt;"):
        assert len(load_images(tmp_path, **GREY)) == 1


@pytest.mark.parametrize(
    "array",
    [
        RAMP[None],
        RAMP[None].astype(">u2"),
        RAMP[None, ::-1][:, ::-1],
        torch.from_numpy(RAMP.astype(np.int32)).to(torch.uint16)[None],
        (RAMP[None] / 32767.5 - 1).astype(np.float32),
        RAMP[None] / 32767.5 - 1,
    ],
)
def test_arrays_of_sixteen_bits_and_floats_agree(array):
    expected = torch.from_numpy(RAMP.astype(np.float32))[None, None] / 32767.5 - 1
    torch.testing.assert_close(load_images(array, **GREY).inputs, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.full((1, 4, 4), 200.0), "from 200 to 200"),
        (np.full((1, 4, 4), 0.5), "no value below 0"),
        (np.array([{}] * 4), "no array of numbers"),
        (np.ones((2, 4, 4), bool), "torch.bool values"),
        (np.full((2, 4, 4), -1, np.int64), "int64 values from -1"),
        (np.full((2, 4, 4), np.inf), "inf"),
        (np.zeros((2, 4, 4), complex), "complex"),
        (np.zeros((28, 28, 3), np.uint8), "one RGB image or many grey ones"),
        (np.zeros((2, 4, 4, 4), np.uint8), "has shape"),
    ],
)
def test_arrays_of_an_unclear_range_or_shape(array, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        load_images(array, **GREY)
    assert "\n" not in str(raised.value)


def test_constant_images_and_single_ones_are_images():
    for shade in (0, 128, 255):
        found = load_images(np.full((1, 4, 4), shade, np.uint8), **GREY).inputs
        assert found.shape == (1, 1, 4, 4) and torch.allclose(
            found, torch.tensor(shade / 127.5 - 1), atol=1e-6
        )


@pytest.mark.parametrize(
    ("make", "channels", "sentence"),
    [
        (
            lambda: Image.new("L", (5, 4)),
            1,
            "5x4 pixels, grey, and the network's images are 4x4 pixels, grey",
        ),
        (lambda: Image.new("RGB", (4, 4), "red"), 1, "4x4 pixels, coloured, and the network's images"),
        (
            lambda: Image.new("L", (4, 4)),
            3,
            "4x4 pixels, grey, and the network's images are 4x4 pixels, coloured",
        ),
        (lambda: np.full((1, 3, 4, 5), -0.5, np.float32), 3, "5x4 pixels, coloured, and"),
        (lambda: np.full((1, 1, 4, 4), -0.5, np.float32), 3, "4x4 pixels, grey, and"),
    ],
)
def test_an_exact_format_converts_nothing(make, channels, sentence):
    with pytest.raises(UserError, match=sentence):
        read_parts(make(), PixelFormat(channels, 4, 4, exact=True))
    assert len(read_parts(make(), PixelFormat(channels, 4, 4))[0].inputs) == 1


@pytest.mark.parametrize(
    ("image", "channels"),
    [
        (Image.new("RGB", (4, 4), (7, 7, 7)), 1),
        (Image.new("RGB", (4, 4), (7, 7, 7)), 3),
        (Image.new("1", (4, 4)), 1),
        (Image.new("P", (4, 4)), 3),
    ],
)
def test_an_exact_format_takes_what_loses_nothing(image, channels):
    assert read_parts(image, PixelFormat(channels, 4, 4, exact=True))[0].inputs.shape == (1, channels, 4, 4)
