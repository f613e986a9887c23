"""Measure: python scripts/bench.py fit|memory|leaf [--models vgg timbre] [--n 5] [--epochs 199] [--rounds 3] [--out FILE.json]"""

import argparse
import json
from pathlib import Path

from fewshot_audio import bench, bench_leaf, config


def main() -> None:
    """Run a benchmark, print it, and write it as JSON where asked."""
    models = sorted(file.stem for file in (config.CONF / "model").glob("*.yaml"))
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = "fit: a run by part; memory: peaks with a bank of 6,300 clips; leaf: LEAF by engine"
    parser.add_argument("benchmark", choices=("fit", "memory", "leaf"), help=kinds)
    parser.add_argument("--models", nargs="+", choices=models, default=["sb_cnn", "timbre", "vgg"])
    parser.add_argument("--n", type=int, default=5, help="clips per class")
    parser.add_argument("--epochs", type=int, default=199)
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many is the result")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--patches", type=int, default=8, help="filtered together, of leaf")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.benchmark == "leaf":
        result = bench_leaf.leaf(arguments.rounds, arguments.threads, arguments.patches)
        print("\n".join(bench_leaf.lines(result)))
    else:
        measure = {"fit": bench.fit, "memory": bench.memory}[arguments.benchmark]
        result = measure(arguments.models, arguments.n, arguments.epochs, arguments.rounds, arguments.threads)
        print("\n".join(bench.lines(result)))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
