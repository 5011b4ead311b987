"""From a benchmark's experiment to its finished report, on disk and on the terminal."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from unlearn_gym.evaluation.benchmark import published
from unlearn_gym.evaluation.benchmark.data import data_sentence, scale_sentence
from unlearn_gym.evaluation.benchmark.experiment import BenchmarkExperiment, BenchmarkRunner
from unlearn_gym.evaluation.benchmark.figures import benchmark_figure
from unlearn_gym.evaluation.benchmark.report import published_grid, report, sentences
from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.report.figures.runs import lambda_figure
from unlearn_gym.evaluation.report.results_file import as_json, save_results
from unlearn_gym.evaluation.results import Results
from unlearn_gym.storage.files import write_text


def publish_benchmark(experiment: BenchmarkExperiment, output: Path, jobs: int, command: str) -> Results:
    """Measure what is not yet measured, write the report and print the table, what it says and the paths.

    Args:
        experiment: what to measure.
        output: folder of the report; finished runs are kept in ``output/runs``.
        jobs: processes.
        command: the command line that repeats it.

    Raises:
        UserError: for bad input.
    """
    results = evaluate(experiment, output, jobs, make_runner=BenchmarkRunner)
    pictures = [benchmark_figure(experiment, results, output)]
    if any(results.runs(entry.name) for entry in experiment.entries):
        pictures.append(lambda_figure(results, output))
    content = as_json(results, command, output)
    content["benchmark"] = {
        "name": experiment.benchmark,
        "scaled_down": scale_sentence(experiment),
        "protocol": asdict(experiment.protocol),
        "data": data_sentence(experiment),
        "published": [asdict(row) for row in published.published(experiment.benchmark)],
    }
    saved = save_results(content, results, output)
    write_text(output / "report.md", report(experiment, results, pictures, command, output))
    console = Console(width=max(Console().width, 100))
    title = f"{experiment.benchmark}, {len(experiment.seeds)} seeds"
    console.print(published_grid(experiment, results, results.key_metrics).rich(title))
    for sentence in sentences(experiment, results):
        console.print(sentence, markup=False)
    files = (*saved, output / "report.md", *(picture.path for picture in pictures))
    for path in files:
        console.print(path, soft_wrap=True, markup=False, highlight=False)
    return results
