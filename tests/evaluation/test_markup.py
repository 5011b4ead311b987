"""Names and commands that look like markup stand in reports as they are."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from unlearn_gym.evaluation import evaluate
from unlearn_gym.evaluation.report.figures import draw_all
from unlearn_gym.evaluation.report.html import save_html
from unlearn_gym.evaluation.report.markdown import save_report
from unlearn_gym.evaluation.report.markup import code, escape
from unlearn_gym.evaluation.report.tables import Grid, main_grid
from unlearn_gym.storage.files import write_text

from .tiny_agents import constant

HOSTILE = [
    "<script>alert(1)</script>", "a|b", "`x`", "``", "[a](javascript:alert(1))", "![a](x.png)", "*b*", "_c_", "__d__",
    "a_b_c", "\\", "\\|", "|", "# h", "- l", "1. x", "&lt;b&gt;", "&amp;", "a\nb", "~~x~~", "<http://x.y>", "a<b",
    "$\\frac$", "\"'", "x\\", "<!-- c", "</title><b>", "[bold]x[/]", "[/]",
]  # fmt: skip
PLAIN = {"p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "h1", "h2", "h3", "em", "img"}
PLAIN |= {"html", "head", "meta", "title", "style", "body", "details", "summary", "div", "script"}
FIRST_SCREEN = {"section", "strong", "abbr", "span", "svg", "line", "circle", "text"}


class Reader(HTMLParser):
    """Collects tags, their addresses, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text = set(), [], ""
        self.feed(text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def rendered(markdown: str, folder: Path) -> Reader:
    write_text(folder / "report.md", markdown)
    return Reader(save_html(folder / "report.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_as_it_is_wherever_it_stands(name, tmp_path):
    cells = Grid((name, "v"), ((name, "1"),)).markdown()
    shown = [
        f"x {escape(name)} y",
        f"- {escape(name)} y",
        f"## Against {escape(name)}",
        f"x {code(name)} y",
        cells,
    ]
    found = rendered("\n\n".join([f"# {escape(name)}", *shown]), tmp_path)
    assert found.tags <= PLAIN and not found.addresses
    assert found.text.count(" ".join(name.split())) >= len(shown) + 3  # title, heading, both cells


def test_a_report_about_hostile_names_is_a_report(experiment, tmp_path, monkeypatch):
    classes = dict(enumerate(HOSTILE[:6]))
    monkeypatch.setattr("unlearn_gym.envs.quadratic.QuadraticEnv.class_names", classes, raising=False)
    agents = tuple(replace(constant(0.5), name=name, group=name, description=name) for name in HOSTILE[:6])
    whole = replace(experiment, entries=agents, seeds=(0, 1), env_kwargs={"horizon": 2}, baseline=HOSTILE[0])
    results = evaluate(whole, tmp_path, progress=False)
    pictures = draw_all(results, tmp_path)  # matplotlib does not read $ as a formula
    report = save_report(results, pictures, "python `evaluate.py` <b> |", tmp_path)
    found = Reader(save_html(report, results).read_text(encoding="utf-8"))
    assert found.tags <= PLAIN | FIRST_SCREEN
    assert all(address.startswith("data:image/png;base64,") for address in found.addresses)
    assert len(found.addresses) == len(pictures)
    for number, name in enumerate(HOSTILE[:6]):
        assert name in found.text and f"{number} {name}" in found.text
    assert "python `evaluate.py` <b> |" in found.text
    assert main_grid(results, ["return"]).rich("[/]").row_count == 7  # rich does not read brackets


@pytest.mark.parametrize(
    ("names", "said"), [({0: "0", 1: "cat"}, True), ({0: "0", 1: "1"}, False), ({}, False)]
)
def test_the_report_names_the_classes(names, said, experiment, tmp_path):
    experiment = replace(experiment, entries=(constant(0.5),), seeds=(0,))
    results = replace(evaluate(experiment, tmp_path, progress=False), class_names=names)
    text = save_report(results, (), "command", tmp_path).read_text(encoding="utf-8")
    assert ("Classes: 0 0, 1 cat." in text) == said == ("Classes: " in text)
