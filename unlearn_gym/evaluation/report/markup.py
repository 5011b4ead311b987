"""Plain text in Markdown: what users name, and commands that they type, stand in reports as they are."""

from __future__ import annotations

import re


class Markup(str):
    """Text that is Markdown already, and is not escaped again."""


def escape(text: str) -> Markup:
    """Return Markdown, of one line, that shows ``text`` as it is: no HTML, link, table cell or emphasis comes of it."""
    text = " ".join(text.split())
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"[\\`*\[\]|]", r"\\\g<0>", text)
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)  # inside a word it means nothing
    text = text.replace("~~", "&#126;&#126;")
    text = re.sub(r"^([#+-]+)(?=\s)", r"\\\1", text)
    return Markup(re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", text))


def code(text: str) -> Markup:
    """Return a Markdown code span of one line that shows ``text``, whatever backticks it holds."""
    text = " ".join(text.split())
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return Markup(f"{fence}{pad}{text}{pad}{fence}")
