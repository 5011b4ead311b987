"""From a campaign to its finished report, on disk and on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.experiment import Campaign, Findings
from unlearn_gym.evaluation.report.figures import draw_all
from unlearn_gym.evaluation.report.html import save_html
from unlearn_gym.evaluation.report.markdown import save_report
from unlearn_gym.evaluation.report.sentences import conclusion
from unlearn_gym.evaluation.report.tables import main_grid
from unlearn_gym.evaluation.results import results, save_results

WIDEST = 7
"""Columns of the table on the terminal; of more, only the key metrics are printed."""


def publish(campaign: Campaign, output: Path, jobs: int, command: str) -> Findings:
    """Run a campaign, write its report and print the table, the conclusion and the paths.

    Args:
        campaign: what to measure.
        output: the report's folder.
        jobs: processes.
        command: the command line that repeats it.

    Raises:
        UserError: for bad input, before anything is run.
    """
    findings = evaluate(campaign, output, jobs)
    pictures = draw_all(campaign, findings, output)
    report = save_report(campaign, findings, pictures, command, output)
    content = results(campaign, findings, command, output)
    files = [*save_results(content, campaign, findings, output), report, save_html(report)]
    shown = findings.metrics if len(findings.metrics) <= WIDEST else findings.key_metrics
    console = Console(width=max(Console().width, 100))
    title = f"{campaign.env_id}, {len(campaign.seeds)} seeds"
    console.print(main_grid(campaign, findings, shown).rich(title))
    for sentence in conclusion(campaign, findings):
        console.print(sentence, markup=False)
    for path in (*files, *(picture.path for picture in pictures)):
        console.print(path, soft_wrap=True, markup=False, highlight=False)
    return findings
