"""The pages made from docstrings are the ones that the code would make now, and the site over the pages builds."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from docs import data_cards, environment_pages, hooks, model_cards, pictures
from docs.build import pages
from unlearn_gym.cli import prepare
from unlearn_gym.data.fingerprint import fingerprint
from unlearn_gym.models.store import SHIPPED, spec_key

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = pages()
FAMILIES = environment_pages.families()
SECTIONS = ("Description", "Action Space", "Observation Space", "Rewards", "Starting State", "Episode End")
URL = "https://example.org/unlearn-gym"


@pytest.mark.parametrize("file", PAGES)
def test_page_is_up_to_date(file):
    assert (DOCS / file).read_text(encoding="utf-8") == PAGES[file], "run python docs/build.py"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.slug)
def test_every_environment_has_all_sections_and_its_picture(family):
    for section in (*SECTIONS, "Arguments", "Version History"):
        assert family.text.count(f"## {section}\n") == 1, section
    assert family.slug in pictures.EPISODES and pictures.EPISODES[family.slug].name in family.ids
    for suffix in ("png", "gif"):
        assert 0 < (environment_pages.PICTURES / f"{family.slug}.{suffix}").stat().st_size < pictures.LARGEST


def test_every_checkpoint_has_a_card_that_says_how_it_is_made_again():
    cards = {each.folder.name: each for each in model_cards.checkpoints()}
    assert set(cards) == {folder.name for folder in SHIPPED.iterdir()} and len(cards) > 10
    known = {*prepare.diffusion_names(), *prepare.vae_names(), *prepare.generator_names()}
    known |= {*prepare.classifier_names()}
    for name, card in cards.items():
        assert name.endswith(
            spec_key(card.spec)[:16]
        )  # the recipe that the card shows is the one it was made by
        verb, _, task = card.command.partition("prepare ")
        assert task.split(" --")[0] in known or verb.startswith("gym.make")
        assert min(card.weights.values()) > 10_000


def test_the_data_cards_are_of_the_data_that_the_checkpoints_were_trained_on():
    data = {card.name: card.read() for card in data_cards.CARDS if card.read is not None}
    for each in model_cards.checkpoints():
        name = data_cards.data_name(each.task, each.family)
        if each.role == "concepts" or name not in data:  # judges see other parts; MNIST is not everywhere
            continue
        parts = [data[name].retain, data[name].forget][: 1 if each.role == "retrained" else 2]
        assert each.spec["data"] == fingerprint(*parts), each.folder.name


def turned(text, page="architecture.md", url=URL):
    """Return what the hooks make of a page's text."""
    config = SimpleNamespace(docs_dir=str(DOCS), repo_url=url)
    return hooks.on_page_markdown(text, SimpleNamespace(file=SimpleNamespace(src_uri=page)), config)


def test_links_that_leave_the_pages_lead_to_the_repository():
    assert turned("[`step`](../envs/base.py#L1)") == f"[`step`]({URL}/blob/main/envs/base.py)"
    assert turned("[x](../../envs)", "tutorials/index.md") == f"[x]({URL}/tree/main/envs)"
    assert turned("[x](architecture.py)") == f"[x]({URL}/blob/main/docs/architecture.py)"
    assert turned("[x](../envs/base.py), [y](agents.md#a)", url=None) == "x, [y](agents.md#a)"
    for kept in ("[x](agents.md)", "![x](architecture.png)", "[x](https://a.b/c)", "```\n[x](../envs)\n```"):
        assert turned(kept) == kept


def test_a_link_to_what_is_not_there_is_a_warning(caplog):
    assert turned("[x](../envs/nothing.py) [y](../../outside.py)") == "x y"
    assert len(caplog.records) == 2 and all(record.name.startswith("mkdocs") for record in caplog.records)


def test_blocks_stay_in_their_list_and_bars_in_their_cell():
    assert turned("- a:\n\n  ```sh\n  b\n  ```\n\nc\n  d") == "- a:\n\n    ```sh\n    b\n    ```\n\nc\n  d"
    assert turned("1. a\n\n   b") == "1. a\n\n    b"
    assert turned("| `a\\|b` | c \\| d |") == "| `a|b` | c \\| d |"


def test_every_page_is_in_the_navigation_once():
    listed = re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:")[1])
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.mark.slow
@pytest.mark.parametrize("url", ["", URL])
def test_the_site_builds_strictly(url, tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site"))
    variables = {**os.environ, "REPOSITORY_URL": url}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    api = (tmp_path / "site" / "api" / "index.html").read_text(encoding="utf-8")
    assert "Unlearn images from a model" in api  # the docstring of apply
    page = (tmp_path / "site" / "architecture" / "index.html").read_text(encoding="utf-8")
    assert (f"{URL}/blob/main/envs/base.py" in page) == bool(url)
