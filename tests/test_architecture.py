"""What may import what, that nothing imports in a circle, and that no folder is overcrowded."""

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from PIL import Image

from docs.architecture import FLOOR, described, imports, room, sources

ROOT = Path(__file__).parent.parent
MOST_MODULES = 12
CROWDED: dict[str, str] = {}
"""Folder → why it may hold more modules."""


def test_every_room_has_a_floor():
    assert {room(module) for module in sources()} == set(FLOOR)


def test_imports_point_down():
    assert [(a, b) for a, b in imports() if room(a) != room(b) and FLOOR[room(a)] <= FLOOR[room(b)]] == []


def test_no_import_circle_even_inside_functions():
    graph = TopologicalSorter()
    for a, b in imports():
        graph.add(a, *({b} - {a}))
    try:
        graph.prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_no_folder_is_overcrowded():
    code = [*sources().values(), *(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "examples").glob("*.py")]
    count = Counter(str(path.parent.relative_to(ROOT)) for path in code if path.name != "__init__.py")
    assert {folder for folder, n in count.items() if n > MOST_MODULES} == set(CROWDED)


def test_the_picture_shows_the_imports():
    with Image.open(ROOT / "docs" / "architecture.png") as picture:
        assert picture.text["Description"] == described(), "run python docs/build.py"
