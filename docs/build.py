"""Write the pages made from docstrings and registries, and the picture of the imports: python docs/build.py."""

from __future__ import annotations

import sys
from pathlib import Path

from unlearn_gym.metrics.glossary import GLOSSARY

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))  # the neighbours below, also for a script

from docs import data_cards, environment_pages, model_cards, policy_cards  # noqa: E402
from docs.architecture import save  # noqa: E402

MADE = "<!-- Made by docs/build.py; do not edit. -->\n\n"


def metrics_page() -> str:
    """Return the glossary of metrics."""
    rows = [
        f"| `{name}` | {metric.arrow} | {metric.unit} | {escaped(metric.definition)} |"
        for name, metric in GLOSSARY.items()
    ]
    head = "# Metrics\n\n↑ means that higher is better.\n\n"
    columns = "| metric | | unit or range | definition |\n|---|---|---|---|\n"
    return head + columns + "\n".join(rows) + "\n"


def escaped(text: str) -> str:
    """Return text whose bars do not end a table's cell."""
    return text.replace("|", "\\|")


def pages() -> dict[str, str]:
    """Return the text of every page that is made, by its path in this folder."""
    texts = environment_pages.pages() | {
        "metrics.md": metrics_page(),
        "model_cards.md": model_cards.page() + policy_cards.page(),
        "data_cards.md": data_cards.page(),
    }
    return {file: MADE + text for file, text in texts.items()}


if __name__ == "__main__":
    for file, text in pages().items():
        (FOLDER / file).parent.mkdir(exist_ok=True)
        (FOLDER / file).write_text(text, encoding="utf-8")
    save(FOLDER / "architecture.png")
