"""Compare a download with the published files: fewshot-audio verify us8k /data/UrbanSound8K.

The dataset is a choice of conf/dataset or of a folder of your own (--config-dir FOLDER, or
'hydra.searchpath=[pkg://my_package.conf]'), or the dotted name of a dataset function, whose module
holds a function verify(root, full, workers).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from fewshot_audio import cli, compose, config, mistakes
from fewshot_audio.components import TARGET
from fewshot_audio.datasets.verify import Report, find_verifier
from fewshot_audio.features.digests import differing
from fewshot_audio.types import ConfigError


def command() -> None:
    """Print the report; exit with 0 where all is well, 1 where something is missing or changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="as us8k, or my_package.my_module.my_dataset")
    parser.add_argument("root", type=Path, help="the dataset's folder, or the one that holds it")
    parser.add_argument("--full", action="store_true", help="also read every file: hashes, formats")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="also read every file "
        "that feature caches in FOLDER (cache=) were built from: its hash")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument("--config-dir", metavar="FOLDER", help="yaml files of your own, by group")
    words = [word for word in sys.argv[1:] if not word.startswith(compose.SEARCHPATH)]
    arguments = parser.parse_args(words)
    searchpath = compose.with_searchpath(sys.argv[1:], arguments.config_dir)
    with cli.exit_codes():
        verify = find_verifier(target_of(arguments.dataset, compose.searchpath(searchpath)))
        report = verify(arguments.root, arguments.full, config.cores())
        if arguments.cache is not None:
            report = against_cache(report, arguments.cache)
    if arguments.json:
        print(json.dumps({**asdict(report), "ok": report.ok}, indent=1))
    else:
        print(report.text())
    sys.exit(0 if report.ok else 1)


def against_cache(report: Report, cache: Path) -> Report:
    """Return a report that also names the files that are not what caches were built from."""
    root = Path(report.root)
    folder = root.parent if root.is_file() else root  # of a table
    found = differing(folder, cache, config.cores())
    note = f"files other than in the cache: {len(found)}"
    if found:
        note += "; put the old ones back, or touch them: the next run then builds the cache anew"
    changed, notes = (*report.changed, *found), (*report.notes, note)
    return replace(report, changed=changed, notes=notes)


def target_of(dataset: str, searchpath: Sequence[str]) -> str:
    """Return the dotted name of a dataset function, from its yaml or as given."""
    if "." in dataset:
        return dataset
    overrides = [f"dataset={dataset}", *searchpath]
    try:
        return compose.composed(overrides).dataset[TARGET]
    except cli.OF_HYDRA as error:
        raise ConfigError(mistakes.explain(error, overrides)) from error
