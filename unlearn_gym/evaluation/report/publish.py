"""From an experiment to its finished report, on disk and on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.experiment import Experiment
from unlearn_gym.evaluation.report.figures import draw_all
from unlearn_gym.evaluation.report.html import save_html
from unlearn_gym.evaluation.report.markdown import save_report
from unlearn_gym.evaluation.report.results_file import as_json, save_results
from unlearn_gym.evaluation.report.sentences import conclusion
from unlearn_gym.evaluation.report.tables import main_grid
from unlearn_gym.evaluation.results import Results
from unlearn_gym.runtime.engines import Engine

WIDEST = 7
"""Columns of the table on the terminal; of more, only the key metrics are printed."""


def publish(experiment: Experiment, output: Path, jobs: int | Engine, command: str) -> Results:
    """Run an experiment, write its report and print the table, the conclusion and the paths.

    Args:
        experiment: what to measure.
        output: the report's folder.
        jobs: processes, or an engine.
        command: the command line that repeats it.

    Raises:
        UserError: for bad input, before anything is run.
    """
    results = evaluate(experiment, output, jobs)
    pictures = draw_all(results, output)
    report = save_report(results, pictures, command, output)
    content = as_json(results, command, output)
    files = [*save_results(content, results, output), report, save_html(report, results)]
    shown = results.metrics if len(results.metrics) <= WIDEST else results.key_metrics
    title = f"{experiment.env_id}, {len(experiment.seeds)} seeds"
    files += [picture.path for picture in pictures]
    show(main_grid(results, shown).rich(title), conclusion(results), files)
    return results


def show(table: Table, sentences: Iterable[str], files: Iterable[Path]) -> None:
    """Print a table, what it says, and the paths of a report's files."""
    # in a notebook rich would bypass standard output, and with it whoever keeps this from being shown
    needed = Console(width=1000, force_jupyter=False).measure(table).minimum  # below it numbers would be cut
    console = Console(width=max(Console().width, 100, needed), force_jupyter=False)
    console.print(table)
    for sentence in sentences:
        console.print(sentence, markup=False)
    for path in files:
        console.print(path, soft_wrap=True, markup=False, highlight=False)
