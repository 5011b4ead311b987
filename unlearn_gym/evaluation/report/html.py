"""A report as one HTML file that opens without a network: its pictures are inside it."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path

import markdown

from unlearn_gym.storage.files import write_text

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }}
img {{ max-width: 100%; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; font-variant-numeric: tabular-nums; }}
th, td {{ border-bottom: 1px solid #ddd; padding: .25rem .6rem; text-align: left; white-space: nowrap; }}
td:last-child {{ white-space: normal; }}
tr:hover {{ background: #f6f6f6; }}
code {{ background: #f2f2f2; padding: .1em .3em; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def save_html(report: Path) -> Path:
    """Write a Markdown report, with every picture that it shows, as one HTML file beside it.

    Args:
        report: the .md file; its pictures are named relative to it.

    Returns:
        The HTML file's path.
    """
    text = report.read_text(encoding="utf-8")
    body = _converter().convert(text)
    body = re.sub(
        r'src="([^":]+\.png)"',
        lambda match: f'src="{_inside(report.parent / html.unescape(match[1]))}"',
        body,
    )
    heading = re.search(r"<h1>(.*?)</h1>", body, re.DOTALL)
    title = html.unescape(re.sub("<[^>]*>", "", heading[1])) if heading else report.stem
    path = report.with_suffix(".html")
    write_text(path, PAGE.format(title=html.escape(title), body=body))
    return path


def _converter() -> markdown.Markdown:
    """Return what turns Markdown into HTML; tags in the text are text."""
    converter = markdown.Markdown(extensions=["tables", "sane_lists"])
    converter.preprocessors.deregister("html_block")
    converter.inlinePatterns.deregister("html")
    return converter


def _inside(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
