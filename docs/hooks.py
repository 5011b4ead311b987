"""Hooks of MkDocs: pages that are written for the host of the repository, read as Python's Markdown wants them.

The pages are read on the host too, where ``../envs/base.py`` works as it is. On the site such a link goes below
``repo_url``, the one setting, and is plain text where none is set. What is not in the clone is a warning, and so an
error under ``--strict``. Lists and tables differ a little between the two.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

BRANCH = "main"
LINK = re.compile(r"(?<!!)\[([^]]+)\]\((?!\w+:)([^)\s#]+)(#[^)\s]*)?\)")
"""A link to a path: its text, the path, and the anchor, which a source file does not have."""
FENCE = re.compile(r"^(```.*?^```)", re.DOTALL | re.MULTILINE)
ITEM = re.compile(r"(- |\d+\. )\S")
CODE = re.compile(r"`[^`]*`")
INDENT = 4
"""Spaces before what belongs to an item of a list; on the host, as many as its marker is wide."""

log = logging.getLogger("mkdocs.plugins.hooks")  # below mkdocs, whose warnings --strict counts


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Return the page's text with its links, lists and tables turned; code blocks are left alone."""
    docs, url = Path(config.docs_dir), (config.repo_url or "").rstrip("/")

    def turned(match: re.Match[str]) -> str:
        return repository_link(match, page.file.src_uri, docs, url)

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else dialect(LINK.sub(turned, part)) for part in parts)


def repository_link(match: re.Match[str], page: str, docs: Path, url: str) -> str:
    """Return what stands in the place of a link.

    Args:
        match: of ``LINK``.
        page: path of the page that it is on, in ``docs``.
        docs: folder of the pages, in the root of the repository.
        url: of the repository, or empty.
    """
    text, path = match[1], match[2]
    target = posixpath.normpath(posixpath.join(docs.name, posixpath.dirname(page), path))
    file = docs.parent / target
    if target.startswith(f"{docs.name}/") and file.suffix != ".py":
        return match[0]  # a page or picture, which MkDocs itself looks for
    if target.startswith("../") or not file.exists():
        log.warning("%s links to %s, which is not in the repository.", page, path)
        return text
    kind = "tree" if file.is_dir() else "blob"
    return f"[{text}]({url}/{kind}/{BRANCH}/{target})" if url else text


def dialect(text: str) -> str:
    """Return text whose lists hold their blocks, and whose code in tables has no escaped bars."""
    lines, marker = [], 0  # the marker's width in the list that the line is in
    for line in text.split("\n"):
        item = ITEM.match(line)
        if item:
            marker = len(item[1])
        elif line.strip() and not line.startswith(" "):
            marker = 0
        elif marker and line.startswith(" " * marker):
            line = " " * (INDENT - marker) + line
        if line.startswith("|"):
            line = CODE.sub(lambda code: code[0].replace("\\|", "|"), line)
        lines.append(line)
    return "\n".join(lines)
