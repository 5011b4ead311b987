"""What may import what, that nothing imports in a circle, and that no folder is overcrowded."""

import ast
import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from PIL import Image

from docs.architecture import FLOOR, described, imports, room, sources

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
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
    code = [*sources().values(), *(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    count = Counter(str(path.parent.relative_to(ROOT)) for path in code if path.name != "__init__.py")
    assert {folder for folder, n in count.items() if n > MOST_MODULES} == set(CROWDED)


def test_the_picture_shows_the_imports():
    with Image.open(ROOT / "docs" / "architecture.png") as picture:
        assert picture.text["Description"] == described(), "run python docs/build.py"


def test_the_page_lists_the_rooms_and_floors():
    rows = re.findall(r"^\| (\d+) \| \[`(\w+)`\]", PAGE, re.MULTILINE)
    assert {name: int(floor) for floor, name in rows} | {"unlearn_gym": 1} == FLOOR


LINKS = re.findall(r"\[([^]]*)\]\(([^)#]+)(?:#([^)]*))?\)", PAGE)


@pytest.mark.parametrize("text, target, anchor", LINKS, ids=lambda part: part)
def test_what_the_page_mentions_is_there(text, target, anchor):
    file = ROOT / "docs" / target
    assert file.exists()
    if anchor:
        headings = re.findall(r"^#+ (.*)", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in [heading.lower().replace(" ", "-") for heading in headings]
    if file.suffix == ".py" and text.strip("`") != file.stem:
        assert text.strip("`") in defined(file)


def test_the_page_names_what_there_is():
    """Words in backticks that are no link: a file, a folder, a command or a name of the code."""
    words = re.findall(r"`([^`]+)`", re.sub(r"\[[^]]*\]\([^)]*\)", "", PAGE))
    folders = {path.name for path in sources().values() for path in path.parents}
    names = {name for path in sources().values() for name in defined(path)}
    known = folders | names | {"train", "evaluate", "unlearn-gym"}
    assert [word for word in words if word not in known and not (ROOT / word).exists()] == []


def defined(file: Path) -> set[str]:
    """Return the names that a module gives to classes, functions, methods (with their class or alone), values."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
        found.add(getattr(node, "name", ""))
        for inner in getattr(node, "body", []) if isinstance(node, ast.ClassDef) else []:
            if isinstance(inner, ast.FunctionDef):
                found |= {inner.name, f"{node.name}.{inner.name}"}
    return found
