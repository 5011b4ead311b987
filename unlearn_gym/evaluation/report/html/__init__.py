"""A report as one HTML file that opens without a network: its first screen answers, the rest is folded below."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from pathlib import Path

import markdown

from unlearn_gym.evaluation.report.headline import answer, caveat, ranked
from unlearn_gym.evaluation.report.html.intervals import intervals
from unlearn_gym.evaluation.report.html.strips import samples
from unlearn_gym.evaluation.report.names import metric_name, metric_note, row_names
from unlearn_gym.evaluation.results import Results
from unlearn_gym.storage.files import write_text

FOLDER = Path(__file__).parent
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}
<script>{script}</script>
</body>
</html>
"""
SPOKEN = re.compile(r"[_:/]")
"""What tells an identifier from a word of a sentence."""


def save_html(
    report: Path, results: Results | None = None, note: str = "", *, first: str = "", opened: int = 0
) -> Path:
    """Write a Markdown report, with every picture that it shows, as one HTML file beside it.

    Nothing is loaded from outside, and a policy in the file forbids that and every script but its own.

    Args:
        report: the .md file; its pictures are named relative to it.
        results: what the first screen is made of, and whose names are put in a reader's words; without them the
            report is only folded.
        note: a sentence that the first screen adds.
        first: HTML of the first screen where there are no results.
        opened: how many sections are not folded.

    Returns:
        The HTML file's path.
    """
    body = _converter().convert(report.read_text(encoding="utf-8"))
    body = re.sub(
        r'src="([^":]+\.png)"',
        lambda match: f'src="{_inside(report.parent / html.unescape(match[1]))}"',
        body,
    )
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    heading = re.search(r"<h1>(.*?)</h1>", body, re.DOTALL)
    title = html.unescape(re.sub("<[^>]*>", "", heading[1])) if heading else report.stem
    first = first if results is None else first_screen(results, note)
    names = {} if results is None else _words(results)
    path = report.with_suffix(".html")
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    page = PAGE.format(
        policy=_policy(script),
        title=html.escape(title),
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        body=folded(renamed(body, names), first, opened),
        script=script,
    )
    write_text(path, page)
    return path


def first_screen(results: Results, note: str) -> str:
    """Return the answer in words with a note, the samples beside each other, and the interval plot."""
    said = html.escape(answer(results)).replace(" %", "\u00a0%")
    names = row_names(results.experiment)
    for name in (html.escape(names[best]) for best in ranked(results)[:1]):
        said = re.sub(rf"^{re.escape(name)}", lambda match: f"<strong>{match[0]}</strong>", said)
    parts = [part for part in (samples(results), intervals(results)) if part]
    return (
        f'<p class="answer">{said}</p><p class="caveat">{html.escape(f"{caveat(results)} {note}")}</p>'
        f'<div class="first{" two" if len(parts) > 1 else ""}">{"".join(parts)}</div>'
    )


def folded(body: str, first: str, opened: int = 0) -> str:
    """Put the first screen below the heading, and fold every section; what stands before them is the setting.

    Args:
        body: HTML with one h1 and, before every section, an h2.
        first: HTML of the first screen; without it, the first section is open.
        opened: how many sections are open besides.
    """
    start, *sections = re.split(r"(?=<h2>)", body)
    heading, setting = re.match(r"((?:<h1>.*?</h1>)?)(.*)", start, re.DOTALL).groups()  # type: ignore[union-attr]
    sections = [*sections, f"<h2>Setting</h2>{setting}"] if setting.strip() else sections
    return (
        heading
        + first
        + "".join(_fold(part, k < opened or not (first or k)) for k, part in enumerate(sections))
    )


def _fold(section: str, opened: bool) -> str:
    heading, _, content = section.partition("</h2>")
    return f"<details{' open' if opened else ''}><summary>{heading}</h2></summary>{content}</details>"


def renamed(body: str, words: Mapping[str, tuple[str, str]]) -> str:
    """Put names in a reader's words, with the name on hover, wherever they stand as such outside code.

    Args:
        body: HTML.
        words: name → (words, what is shown on hover).
    """
    names = sorted((html.escape(name, quote=False) for name in words), key=len, reverse=True)
    if not names:
        return body
    known = {
        html.escape(name, quote=False): f'<abbr title="{html.escape(note)}">{html.escape(said)}</abbr>'
        for name, (said, note) in words.items()
    }
    pattern = re.compile(rf"(?<![\w:/.])(?:{'|'.join(map(re.escape, names))})(?![\w:/]|\.\w)")
    code = 0
    parts = re.split(r"(<[^>]*>)", body)
    for k, part in enumerate(parts):
        if part.startswith("<"):
            code += (part in ("<code>", "<h1>")) - (part in ("</code>", "</h1>"))
        elif not code:
            parts[k] = pattern.sub(lambda match: known[match[0]], part)
    return "".join(parts)


def _words(results: Results) -> dict[str, tuple[str, str]]:
    rows = {name: (said, name) for name, said in row_names(results.experiment).items()}
    metrics = {metric: (metric_name(results, metric), metric_note(metric)) for metric in results.metrics}
    return {
        name: (said, note)
        for name, (said, note) in (rows | metrics).items()
        if said != name and SPOKEN.search(name)
    }


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _converter() -> markdown.Markdown:
    """Return what turns Markdown into HTML; tags in the text are text."""
    converter = markdown.Markdown(extensions=["tables", "sane_lists"])
    converter.preprocessors.deregister("html_block")
    converter.inlinePatterns.deregister("html")
    return converter


def _inside(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
