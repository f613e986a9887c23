"""Compare a download with the published files: fewshot-audio verify us8k /data/UrbanSound8K.

The dataset is a choice of conf/dataset, or the dotted name of a dataset function of your own, whose
module holds a function verify(root, full, workers).
"""

import argparse
import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path

from fewshot_audio.components import near
from fewshot_audio.compose import CONF
from fewshot_audio.datasets.verify import find_verifier
from fewshot_audio.types import ConfigError, FewshotAudioError

DATASETS = CONF / "dataset"


def main() -> int:
    """Print the report; return 0 where all is well, 1 where something is missing or changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="as us8k, or my_package.my_module.my_dataset")
    parser.add_argument("root", type=Path, help="the dataset's folder, or the one that holds it")
    parser.add_argument("--full", action="store_true", help="also read every file: hashes, formats")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    arguments = parser.parse_args()
    try:
        verify = find_verifier(target_of(arguments.dataset))
        report = verify(arguments.root, arguments.full, os.cpu_count() or 1)
    except FewshotAudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({**asdict(report), "ok": report.ok}, indent=1))
    else:
        print(report.text())
    return 0 if report.ok else 1


def target_of(dataset: str) -> str:
    """Return the dotted name of a dataset function, from its yaml or as given."""
    if "." in dataset:
        return dataset
    file = DATASETS / f"{dataset}.yaml"
    if not file.is_file():
        names = [path.stem for path in DATASETS.glob("*.yaml")]
        raise ConfigError(f"{dataset}: no such dataset{near(dataset, names)}")
    target = re.search(r"^_target_: *(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    if target is None:
        raise ConfigError(f"{file}: _target_ must be set")
    return target[1]


def command() -> None:
    """Do the command line and exit."""
    sys.exit(main())
