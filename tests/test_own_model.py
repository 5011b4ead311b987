"""Every block of code of docs/own_model.md runs, one after the other, with less training."""

import os
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "own_model.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
SHORTER = {"updates = 1000": "updates = 2", "horizon=200": "horizon=2"}


def test_the_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "own_model"}
    for block in BLOCKS:
        for long, short in SHORTER.items():
            block = block.replace(long, short)
        exec(compile(block, str(PAGE), "exec"), namespace)
    assert {"ddpm-digits", "ddpm-digits-without-threes"} <= set(os.listdir(tmp_path))


def test_the_page_names_the_numbers_of_the_code():
    from unlearn_gym.envs.automatic import CAP, HARM, PRICE
    from unlearn_gym.models.diffusion.schedules import KINDS

    assert f"{CAP} times the larger" in TEXT and f"{PRICE:g} / L_retain" in TEXT
    assert f"{HARM:.1%}".replace("%", " %") in TEXT
    for kind in KINDS:
        assert kind.replace("Parallel", "") in TEXT


@pytest.mark.parametrize("link", re.findall(r"\]\(#([\w-]+)\)", TEXT))
def test_links_lead_to_headings(link):
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert link in {heading.lower().replace(" ", "-") for heading in headings}
