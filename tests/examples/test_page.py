"""Every example says its command, stays short, and has its line on the page."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "examples").rglob("*.py"))
LONGEST = 140
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("file", FILES)
def test_an_example_says_its_command_and_has_a_line_and_a_test(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert f"python {file}" in (ast.get_docstring(ast.parse(text)) or "")
    rows = [line for line in PAGE.splitlines() if f"](../{file})" in line]
    assert len(rows) == 1 and re.search(rf"`\S*python {file}", rows[0])
    name = file.removeprefix("examples/")
    assert any(mark in TESTS for mark in (f'"{name}"', f'"{Path(name).name}"', f"examples.{Path(name).stem}"))
    if "/" in name:
        assert len(text.splitlines()) <= LONGEST


def test_the_page_leads_only_to_what_is_there():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert [
        link for link in links if not link.startswith("http") and not (ROOT / "docs" / link).exists()
    ] == []
