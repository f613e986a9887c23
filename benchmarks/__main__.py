"""Measure: python -m benchmarks NAME [--models vgg] [--out FILE.json]; --help lists the names."""

import argparse
import importlib
import json
from pathlib import Path

from fewshot_audio import compose

KINDS = {  # what each measures, and its arguments
    "fit": (
        "a run by part",
        ("models", "n", "stack", "epochs", "rounds", "threads", "accelerator"),
    ),
    "score": ("scoring, shared and patch by patch", ("models", "epochs", "rounds", "threads")),
    "features": ("building a feature cache, beside librosa", ("rounds", "threads")),
    "store": ("9,900 results written, read, planned with", ()),
    "report": ("tables and page of a large store", ("lines",)),
    "intervals": ("how often intervals hold the truth", ("rounds",)),
    "study": (
        "the whole study, projected",
        ("models", "n", "stack", "rounds", "threads", "accelerator"),
    ),
    "projection": ("a small study, projected and done", ("rounds", "threads", "accelerator")),
    "gpu": (
        "what a GPU is to tell of the study, within --minutes",
        ("models", "stack", "minutes", "threads", "accelerator"),
    ),
    "launchers": ("what a launcher costs, per sweep and per job", ("rounds",)),
    "devices": ("the whole study on several devices, simulated", ("durations", "devices")),
    "memory": ("peaks with a cache of 6,300 clips", ("models", "n", "epochs", "threads")),
    "frontends": ("the layers, beside ports that are installed", ("rounds", "threads")),
    "stacks": ("an update of stacks with LEAF, and its launches", ("stack", "rounds", "threads")),
    "leaf": ("LEAF by engine", ("rounds", "threads", "patches")),
}


def main() -> None:
    """Run a benchmark, print it, and write it as JSON where asked."""
    models = sorted(file.stem for file in (compose.CONF / "model").glob("*.yaml"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "benchmark",
        choices=KINDS,
        help="; ".join(f"{name}: {text}" for name, (text, _) in KINDS.items()),
    )
    parser.add_argument("--models", nargs="+", choices=models, default=["sb_cnn", "timbre", "vgg"])
    parser.add_argument("--n", type=int, nargs="+", default=[5], help="clips per class")
    parser.add_argument("--stack", type=int, nargs="+", default=[1], help="runs trained together")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many is the result")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--accelerator", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--minutes", type=float, default=8, help="of gpu: then nothing new begins")
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 8, 64], help="of devices")
    parser.add_argument(
        "--durations", type=Path, default=Path("results/bench/gpu_study.json"), help="of study"
    )
    parser.add_argument("--patches", type=int, default=8, help="filtered together, of leaf")
    parser.add_argument("--lines", type=int, default=9900, help="at least so many, of report")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    # here: workers import this file too
    module = importlib.import_module(f"benchmarks.{arguments.benchmark}")
    _, names = KINDS[arguments.benchmark]
    result = getattr(module, arguments.benchmark)(*(getattr(arguments, name) for name in names))
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
