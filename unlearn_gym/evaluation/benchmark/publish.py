"""From a benchmark's campaign to its finished report, on disk and on the terminal."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from unlearn_gym.evaluation.benchmark.data import data_sentence, scale_sentence
from unlearn_gym.evaluation.benchmark import published
from unlearn_gym.evaluation.benchmark.experiment import BenchmarkBench, BenchmarkCampaign
from unlearn_gym.evaluation.benchmark.figures import benchmark_figure
from unlearn_gym.evaluation.benchmark.report import published_grid, report, sentences
from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.experiment import Findings
from unlearn_gym.evaluation.report.figures.runs import lambda_figure
from unlearn_gym.evaluation.results import results, save_results
from unlearn_gym.storage.files import write_text


def publish_benchmark(campaign: BenchmarkCampaign, output: Path, jobs: int, command: str) -> Findings:
    """Measure what is not yet measured, write the report and print the table, what it says and the paths.

    Args:
        campaign: what to measure.
        output: folder of the report; finished runs are kept in ``output/runs``.
        jobs: processes.
        command: the command line that repeats it.

    Raises:
        UserError: for bad input.
    """
    findings = evaluate(campaign, output, jobs, make_bench=BenchmarkBench)
    pictures = [benchmark_figure(campaign, findings, output)]
    if any(findings.runs(contestant.name) for contestant in campaign.contestants):
        pictures.append(lambda_figure(campaign, findings, output))
    content = results(campaign, findings, command, output)
    content["benchmark"] = {
        "name": campaign.benchmark,
        "scaled_down": scale_sentence(campaign),
        "protocol": asdict(campaign.protocol),
        "data": data_sentence(campaign),
        "published": [asdict(row) for row in published.published(campaign.benchmark)],
    }
    saved = save_results(content, campaign, findings, output)
    write_text(output / "report.md", report(campaign, findings, pictures, command, output))
    console = Console(width=max(Console().width, 100))
    title = f"{campaign.benchmark}, {len(campaign.seeds)} seeds"
    console.print(published_grid(campaign, findings, findings.key_metrics).rich(title))
    for sentence in sentences(campaign, findings):
        console.print(sentence, markup=False)
    files = (*saved, output / "report.md", *(picture.path for picture in pictures))
    for path in files:
        console.print(path, soft_wrap=True, markup=False, highlight=False)
    return findings
