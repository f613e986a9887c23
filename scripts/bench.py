"""Measure: python scripts/bench.py fit|score|bank|store|study|memory|leaf [--models vgg timbre] [--out FILE.json]"""

import argparse
import json
from pathlib import Path

from fewshot_audio import config
from fewshot_audio.bench import bank, fit, leaf, memory, score, store, study

KINDS = {
    "fit": (fit, lambda a: fit.fit(a.models, a.n, a.stack, a.epochs, a.rounds, a.threads, a.accelerator), "a run by part"),
    "score": (score, lambda a: score.score(a.models, a.epochs, a.rounds, a.threads), "scoring, shared and patch by patch"),
    "bank": (bank, lambda a: bank.bank(a.rounds, a.threads), "building a bank, beside librosa"),
    "store": (store, lambda a: store.store(), "9,900 results written, read, planned with"),
    "study": (study, lambda a: study.study(a.models, a.epochs, a.threads, a.accelerator), "the whole study, projected"),
    "memory": (memory, lambda a: memory.memory(a.models, a.n[0], a.epochs, a.threads), "peaks with a bank of 6,300 clips"),
    "leaf": (leaf, lambda a: leaf.leaf(a.rounds, a.threads, a.patches), "LEAF by engine"),
}


def main() -> None:
    """Run a benchmark, print it, and write it as JSON where asked."""
    models = sorted(file.stem for file in (config.CONF / "model").glob("*.yaml"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", choices=KINDS, help="; ".join(f"{name}: {text}" for name, (_, _, text) in KINDS.items()))
    parser.add_argument("--models", nargs="+", choices=models, default=["sb_cnn", "timbre", "vgg"])
    parser.add_argument("--n", type=int, nargs="+", default=[5], help="clips per class")
    parser.add_argument("--stack", type=int, nargs="+", default=[1], help="runs trained together")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many is the result")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--accelerator", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--patches", type=int, default=8, help="filtered together, of leaf")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    module, measure, _ = KINDS[arguments.benchmark]
    result = measure(arguments)
    print("\n".join(module.lines(result)))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
