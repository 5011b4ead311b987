"""From a benchmark's experiment to its finished report, on disk and on the terminal."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import matplotlib

from unlearn_gym.evaluation.benchmark import published
from unlearn_gym.evaluation.benchmark.data import data_sentence, scale_sentence
from unlearn_gym.evaluation.benchmark.experiment import BenchmarkExperiment, BenchmarkRunner
from unlearn_gym.evaluation.benchmark.figures import benchmark_figure
from unlearn_gym.evaluation.benchmark.report import published_grid, save_report, sentences, to_beat
from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.report.drawing import STYLE
from unlearn_gym.evaluation.report.figures.runs import lambda_figure
from unlearn_gym.evaluation.report.figures.scores import trade_off_figure
from unlearn_gym.evaluation.report.html import save_html
from unlearn_gym.evaluation.report.publish import show
from unlearn_gym.evaluation.report.results_file import as_json, save_results
from unlearn_gym.evaluation.results import Results
from unlearn_gym.runtime.engines import Engine


def publish_benchmark(
    experiment: BenchmarkExperiment, output: Path, jobs: int | Engine, command: str
) -> Results:
    """Measure what is not yet measured, write the report and print the table, what it says and the paths.

    Args:
        experiment: what to measure.
        output: folder of the report; finished runs are kept in ``output/runs``.
        jobs: processes, or an engine.
        command: the command line that repeats it.

    Raises:
        UserError: for bad input.
    """
    results = evaluate(experiment, output, jobs, make_runner=BenchmarkRunner)
    with matplotlib.rc_context({**STYLE, "savefig.dpi": 120}):
        pictures = [benchmark_figure(experiment, results, output), trade_off_figure(results, output)]
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
    report = save_report(experiment, results, pictures, command, output)
    title = f"{experiment.benchmark}, {len(experiment.seeds)} seeds"
    table = published_grid(experiment, results, results.key_metrics).rich(title)
    files = (
        *saved,
        report,
        save_html(report, results, to_beat(experiment)),
        *(picture.path for picture in pictures),
    )
    show(table, sentences(experiment, results), files)
    return results
