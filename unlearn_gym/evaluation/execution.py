"""Every agent on every seed from the same original weights, in one or several processes, resumable."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.bench import Bench
from unlearn_gym.evaluation.campaign import Campaign, Findings
from unlearn_gym.evaluation.records import Record, load_record, record_path, save_record
from unlearn_gym.models.threads import one_thread

MakeBench = Callable[[Any], Bench]
"""From a campaign to the bench of its kind; module-level, as it is sent to other processes."""


def evaluate(
    campaign: Campaign, output: Path, jobs: int = 1, progress: bool = True, make_bench: MakeBench = Bench
) -> Findings:
    """Measure what is not yet measured, and return everything.

    Every finished run is written to ``output/runs`` at once; a run found there, with the same settings and
    code, is not made again. Every process computes on one thread: the numbers do not depend on ``jobs``.

    Args:
        campaign: what to measure.
        output: the report's folder.
        jobs: processes; more than one are spawned, so the calling script needs a ``__main__`` guard.
        progress: whether to show a progress bar.
        make_bench: what the campaign is measured on.

    Raises:
        UserError: for bad input, before anything is run.
    """
    if jobs < 1:
        raise UserError(f"jobs={jobs} was given; give at least 1.")
    with one_thread():
        bench = make_bench(campaign)
        metrics, rows, runs = bench.metrics(), bench.rows(), output / "runs"
        paths = {
            (row, seed): record_path(runs, row, seed, campaign.key(row, seed))
            for seed in campaign.seeds
            for row in rows
        }
        todo = [place for place, path in paths.items() if not path.exists()]
        bench.check()
        finished = _parallel(make_bench, campaign, todo, jobs) if jobs > 1 else _serial(bench, todo)
        with tqdm(total=len(paths), initial=len(paths) - len(todo), desc="runs", disable=not progress) as bar:
            for record in finished:
                save_record(record, paths[record.name, record.seed])
                bar.set_postfix_str(f"{record.name}, seed {record.seed}", refresh=False)
                bar.update()
    bench.close()
    return Findings(
        records=tuple(load_record(path) for path in paths.values()),
        metrics=metrics,
        key_metrics=tuple(name for name in bench.judge.key_metrics if name in metrics),
        trade_off=bench.judge.trade_off,
        notes=bench.judge.notes(),
        paths=paths,
        examples=bench.judge.examples(),
    )


def _serial(bench: Bench, todo: list[tuple[str, int]]) -> Iterator[Record]:
    for name, seed in todo:
        yield bench.measure(name, seed)


def _parallel(
    make_bench: MakeBench, campaign: Campaign, todo: list[tuple[str, int]], jobs: int
) -> Iterator[Record]:
    if not todo:
        return
    context = multiprocessing.get_context("spawn")
    workers = min(jobs, len(todo))
    with ProcessPoolExecutor(
        workers, context, initializer=_open_bench, initargs=(make_bench, campaign)
    ) as pool:
        futures = [pool.submit(_measure, name, seed) for name, seed in todo]
        for future in as_completed(futures):
            yield future.result()


_bench: list[Bench] = []
"""The bench of a worker process."""


def _open_bench(make_bench: MakeBench, campaign: Campaign) -> None:
    torch.set_num_threads(1)
    _bench.append(make_bench(campaign))


def _measure(name: str, seed: int) -> Record:
    return _bench[0].measure(name, seed)
