"""How long tables and the page of a large store take."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import machine, seconds
from benchmarks.records import FRONTENDS, MODELS, fields
from fewshot_audio import compose, config
from fewshot_audio.record_fields import SCHEMA
from fewshot_audio.report.build import make_tables, report_folder
from fewshot_audio.report.export import table_files
from fewshot_audio.report.page import page
from fewshot_audio.report.records import read_runs
from fewshot_audio.report.selection import select
from fewshot_audio.seeding import digest_of
from fewshot_audio.types import Component, ReportSettings

DATASETS = {"us8k": (10, 10), "tut_asc": (1, 15)}  # folds, classes


def report(lines: int) -> dict[str, Any]:
    """Return the seconds that reading, all tables, and all of a report take.

    Args:
        lines: Of records at least, in the whole study's grid.
    """
    cfg = compose.composed([])
    settings, components = config.reporting(cfg), config.reports(cfg)
    times = -(-lines // 9900)
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(settings, results=Path(folder))
        size = write_grid(settings.results, cfg.protocol.repeats, times)
        read: list[pd.DataFrame] = []
        spent = {"read_s": seconds(lambda: read.append(read_runs([settings.results])[0]))}
        spent["tables_s"] = seconds(lambda: _tables(read[0], components, settings))
        spent["page_s"] = seconds(lambda: _page(components, settings))
    return {
        "bench": "report",
        "lines": len(read[0]),
        "mib": round(size / 2**20, 1),
        "machine": machine(1),
        **spent,
    }


def _tables(
    runs: pd.DataFrame, components: Sequence[Component], settings: ReportSettings
) -> list[dict[str, str]]:
    tables, _ = make_tables(select(runs, settings), components)
    return [table_files(table, []) for table in tables]


def _page(components: Sequence[Component], settings: ReportSettings) -> str:
    command = "python -m benchmarks report"
    folder = report_folder([settings.results], components, settings, None, command)
    return page("How long?", [folder.study])


def write_grid(folder: Path, schedule: Mapping[int, int], times: int, seed: int = 0) -> int:
    """Write synthetic records of the whole study, and return their size in bytes.

    Accuracy is a level of dataset, model and n, an effect of the fold, one of the few-shot split
    that frontends share, and noise.

    Args:
        folder: A results folder.
        schedule: Repeats by n per class.
        times: How many times as many repeats.
        seed: Of the numbers.
    """
    random, size = np.random.default_rng(seed), 0
    (folder / "runs").mkdir(parents=True)
    for (dataset, (folds, classes)), model, frontend in product(
        DATASETS.items(), MODELS, FRONTENDS
    ):
        rest = ", " + json.dumps(fields(frontend, classes, random))[1:] + "\n"
        for fold, (n, repeats) in product(range(1, folds + 1), schedule.items()):
            text = "".join(
                _line(dataset, fold, model, frontend, n, repeat, rest, random)
                for repeat in range(1, repeats * times + 1)
            )
            size += (
                folder / f"runs/{dataset}-fold{fold}-{model}-{frontend}-n{n:03d}.jsonl"
            ).write_text(text)
    return size


def _line(
    dataset: str,
    fold: int,
    model: str,
    frontend: str,
    n: int,
    repeat: int,
    rest: str,
    random: np.random.Generator,
) -> str:
    identity = {
        "dataset": {"name": dataset},
        "fold": fold,
        "model": {"name": model},
        "n_per_class": n,
        "repeat": repeat,
    }
    identity |= {
        "frontend": {"name": frontend, **({"sample_rate": 44100} if frontend == "leaf" else {})},
        "features": str(frontend == "leaf"),
    }
    shared = np.random.default_rng([fold, n, repeat, len(dataset)]).normal(size=2) * [0.03, 0.02]
    level = 0.2 + 0.1 * np.log(n) / np.log(10) + shared.sum() + 0.02 * random.normal()
    head = {
        "schema": SCHEMA,
        "key": digest_of(identity),
        "status": "finished",
        "identity": identity,
        "metrics": {"accuracy": float(np.clip(level, 0, 1))},
        "few_shot_split": f"{dataset}-{fold}-{n}-{repeat}",
    }
    return json.dumps(head)[:-1] + rest
