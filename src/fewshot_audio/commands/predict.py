"""Say what a trained network hears: fewshot-audio predict CHECKPOINT sounds/ other.wav.

CHECKPOINT is a folder of results/checkpoints, which runs with checkpoint=true write. What follows
are audio files, folders (searched to the bottom), patterns as 'sounds/*.wav', or @list.txt, a file
with one of these a line. The exit code is 1 where a file could not be read.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from fewshot_audio import cli
from fewshot_audio.files import atomic_write
from fewshot_audio.progress import counted
from fewshot_audio.runner.inputs import check_labels, files_of, listed
from fewshot_audio.types import ConfigError, DataError

if TYPE_CHECKING:
    from fewshot_audio.runner.predict import Prediction

COLUMNS = ("path", "start", "end", "class", "probability")
THRESHOLD = 0.5


def command() -> None:
    """Print or write the predictions; exit with 0, or 1 where something went wrong."""
    parser = _parser()
    arguments = parser.parse_intermixed_args()
    if not arguments.files and arguments.csv is None:
        parser.error("no files: give audio files, folders, patterns, @list.txt or --csv FILE")
    with cli.exit_codes():
        sys.exit(_predict(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT")
    add("files", nargs="*", metavar="FILE")
    add("--csv", type=Path, metavar="FILE", help="a table with a column path, relative to --root; "
        "with a column label, the accuracy is printed too")  # fmt: skip
    add("--root", type=Path, metavar="FOLDER", help="default: the folder of the table")
    add("--output", type=Path, metavar="FILE", help="write FILE.csv or FILE.jsonl")
    add("--json", action="store_true", help="print JSON lines instead of a table")
    add("--top", type=_whole, metavar="K", help="the K most likely classes (default 1; for several "
        "labels all above --threshold)")  # fmt: skip
    add("--threshold", type=float, metavar="P", help="only classes of at least this probability")
    add("--window", type=_seconds, metavar="S", help="predict for windows of S seconds")
    add("--hop", type=_seconds, metavar="S", help="seconds between them (default: --window)")
    add("--device", default="auto", help="cpu, cuda, mps or auto (default)")
    add("--threads", type=_whole, default=1, help="threads of torch (default 1)")
    add("--trust", action="append", default=[], metavar="PACKAGE", help="a package whose code may "
        "run to build the network; may be given again")  # fmt: skip
    return parser


def _whole(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected at least 1")
    return int(text)


def _seconds(text: str) -> float:
    if not 0 < float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: expected seconds above 0")
    return float(text)


def _predict(arguments: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code."""
    if arguments.hop is not None and arguments.window is None:
        raise ConfigError("--hop is of windows; add --window S")
    if arguments.output and arguments.output.suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"--output {arguments.output}: expected a name that ends in .csv, .jsonl")
    import torch  # seconds, which --help does not need

    from fewshot_audio.runner.environment import set_up
    from fewshot_audio.runner.predict import Windows, predictions
    from fewshot_audio.training.loading import load

    set_up(arguments.threads, keep_memory=False)
    problems: list[str] = []

    def failed(name: str, error: DataError | str) -> None:
        problems.append(name)
        tqdm.write(f"{name}: {error}", file=sys.stderr)

    files = list(files_of(arguments.files, failed))
    if arguments.csv is not None:
        files = [*listed(arguments.csv, arguments.root or arguments.csv.parent), *files]
    model = load(arguments.checkpoint, trust=arguments.trust).to(_device(arguments.device))
    windows = arguments.window and Windows(arguments.window, arguments.hop or arguments.window)
    check_labels(files, model.class_names, model.multi_label)
    with tqdm(files, unit="file", leave=False, disable=None) as bar, torch.inference_mode():
        found = list(predictions(model, bar, windows, failed))
    chosen = model.class_names, model.multi_label, arguments.top, arguments.threshold
    write_rows([row for each in found for row in rows_of(each, *chosen)], arguments)
    if windows is None and not model.multi_label:
        say_accuracy(found, model.class_names)
    if problems:
        print(f"{counted(len(problems), 'file')} could not be read", file=sys.stderr)
    return int(bool(problems))


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return str(torch.accelerator.current_accelerator(check_available=True) or "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: {str(error).splitlines()[0]}; try cpu") from error
    return name


def rows_of(
    prediction: "Prediction",
    class_names: Sequence[str],
    multi_label: bool,
    top: int | None,
    threshold: float | None,
) -> list[dict[str, Any]]:
    """Return a row for each class of a prediction that is told, the most likely first."""
    values = [float(str(each)) for each in prediction.probabilities]  # as few digits as can be
    if multi_label and top is None and threshold is None:
        threshold = THRESHOLD
    if top is None and not multi_label:
        top = 1
    order = sorted(range(len(values)), key=lambda label: -values[label])
    if prediction.answer < 0:
        order = []
    named = [label for label in order[:top] if threshold is None or values[label] >= threshold]
    place = (prediction.path, round(prediction.start, 6), round(prediction.end, 6))
    rows: list[tuple] = [(*place, class_names[label], values[label]) for label in named]
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows or [(*place, None, None)]]


def write_rows(rows: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> None:
    """Write rows to a file or print them, as JSON lines or as a table."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if arguments.output is None:
        print(lines if arguments.json else _table(rows), end="")
        return
    if arguments.output.suffix == ".csv":
        import pandas as pd  # takes long

        lines = pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, lineterminator="\n")
    with atomic_write(arguments.output) as draft:
        draft.write_text(lines, encoding="utf-8")


def _table(rows: Sequence[dict[str, Any]]) -> str:
    from tabulate import tabulate

    cells = [
        [row["path"], *(f"{row[name]:.2f}" for name in ("start", "end")), row["class"] or "–",
         "" if row["probability"] is None else f"{row['probability']:.4f}"]
        for row in rows
    ]  # fmt: skip
    return tabulate(cells, COLUMNS, "plain", disable_numparse=True) + "\n"


def say_accuracy(found: Sequence["Prediction"], class_names: Sequence[str]) -> None:
    """Print the accuracy where labels are known; a file that could not be read has no part."""
    pairs = [(each.label, each.answer) for each in found if each.label]
    if pairs:
        right = sum(answer >= 0 and class_names[answer] == label for label, answer in pairs)
        print(f"accuracy {right / len(pairs):.7g}: {right} of {len(pairs)} clips", file=sys.stderr)
