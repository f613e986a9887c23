"""Compare our networks with reference values of the originals.

python scripts/parity.py FILE.npz ...
"""

import argparse
import sys
from pathlib import Path

from fewshot_audio.types import FewshotAudioError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from parity import checks, files  # type: ignore[attr-defined]


def main() -> int:
    """Print a line per quantity of each file; return 0 when all are within tolerance, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.npz")
    failed = False
    for path in parser.parse_args().files:
        try:
            title, found = files.compare(path)
        except FewshotAudioError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = True
            continue
        missed = sum(not check.ok for check in found)
        print(
            f"{path.name}: {title}\n{checks.text(found)}\n"
            f"{len(found)} quantities, {missed or 'none'} out of tolerance\n"
        )
        failed = failed or missed > 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
