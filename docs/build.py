"""Write the pages made from docstrings and registries, and the picture of the imports: python docs/build.py."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from unlearn_gym.metrics.glossary import GLOSSARY
from unlearn_gym.registration import ENVIRONMENTS

FOLDER = Path(__file__).parent
MADE = "<!-- Made by docs/build.py; do not edit. -->\n\n"


def environments_page() -> str:
    """Return the page of all environments: each class's docstring under the ids that it serves."""
    classes: dict[str, list[str]] = {}
    for name, entry_point, kwargs in ENVIRONMENTS:
        shown = ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
        classes.setdefault(entry_point, []).append(
            f"- `unlearn_gym/{name}`" + (f": {shown}" if shown else "")
        )
    parts = [MADE, "# Environments\n"]
    for entry_point, ids in classes.items():
        module, name = entry_point.split(":")
        text = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
        parts.append(
            f"\n# {name}\n\n" + "\n".join(ids) + "\n" + f"\n{text}".replace("\n## ", "\n### ") + "\n"
        )
    return "".join(parts)


def escaped(text: str) -> str:
    """Return text whose bars do not end a table's cell."""
    return text.replace("|", "\\|")


def metrics_page() -> str:
    """Return the glossary of metrics."""
    rows = [
        f"| `{name}` | {metric.arrow} | {metric.unit} | {escaped(metric.definition)} |"
        for name, metric in GLOSSARY.items()
    ]
    head = "# Metrics\n\n↑ means that higher is better.\n\n"
    columns = "| metric | | unit or range | definition |\n|---|---|---|---|\n"
    return MADE + head + columns + "\n".join(rows) + "\n"


PAGES = {"environments.md": environments_page, "metrics.md": metrics_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page(), encoding="utf-8")
    from architecture import save  # beside this file

    save(FOLDER / "architecture.png")
