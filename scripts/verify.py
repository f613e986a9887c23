"""Check a download against the published files: python scripts/verify.py us8k /data/UrbanSound8K [--full] [--json]"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from fewshot_audio.datasets.verify import VERIFIERS
from fewshot_audio.types import FewshotAudioError


def main() -> int:
    """Print the report; 0 when nothing is missing or changed, 1 when something is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=VERIFIERS)
    parser.add_argument("root", type=Path, help="the dataset's folder, or the one that holds it")
    parser.add_argument("--full", action="store_true", help="also read every file: hashes, formats")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    arguments = parser.parse_args()
    try:
        report = VERIFIERS[arguments.dataset](arguments.root, arguments.full, os.cpu_count() or 1)
    except FewshotAudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(
        json.dumps({**asdict(report), "ok": report.ok}, indent=1)
        if arguments.json
        else report.text()
    )
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
