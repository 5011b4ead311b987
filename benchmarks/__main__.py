"""Print the table of costs: ``python -m benchmarks [--quick] [--only step face] [--device cuda]``."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import torch

from benchmarks.rows import Settings, table

SECTIONS = ("step", "large", "face", "imports", "memory", "workers", "agents", "many", "scaling")
"""Each is a module of ``benchmarks.sections`` with ``run(settings)``."""


def main() -> None:
    """Measure the chosen sections and write ``table.md`` beside the plots."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: seconds, with wide spread")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="sections to measure")
    parser.add_argument("--device", default="cpu", help="where the networks are")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads in this process")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"), help="folder of the results")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    chosen.output.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        chosen.device, 9 if chosen.quick else 60, 100 if chosen.quick else 2000, chosen.output
    )
    rows = []
    for name in chosen.only:
        print(f"measuring {name} ...", flush=True)
        rows += importlib.import_module(f"benchmarks.sections.{name}").run(settings)
    text = table(rows)
    (chosen.output / "table.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
