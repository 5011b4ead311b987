"""The pages made from docstrings are the ones that the code would make now."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = runpy.run_path(str(DOCS / "build.py"))["PAGES"]
SECTIONS = ("Description", "Action Space", "Observation Space", "Rewards", "Starting State", "Episode End")


@pytest.mark.parametrize("file", PAGES)
def test_page_is_up_to_date(file):
    assert (DOCS / file).read_text(encoding="utf-8") == PAGES[file](), "run python docs/build.py"


def test_every_environment_has_all_sections():
    text = PAGES["environments.md"]()
    environments = text.count("\n# ") - 1
    for section in (*SECTIONS, "Arguments", "Version History"):
        assert text.count(f"## {section}\n") == environments, section
