"""Write the answers of studies, as scripts/report.py found them, into README.md and docs/.

python scripts/readme.py

Each stands between <!-- answers: FOLDER: FIRST minus SECOND; ... --> and <!-- end of answers -->.
"""

import argparse
import re
import textwrap
from pathlib import Path
from typing import Any

from fewshot_audio.report.written import written

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/index.md", "docs/leaf-findings.md")
MARKED = re.compile(r"(?<=<!-- answers: )(.*?)( -->\n).*?(?=<!-- end of answers -->)", re.DOTALL)
WIDTH = 100
LINES: Any = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": "  "}


def answered(text: str, root: Path = ROOT) -> str:
    """Return a page with the sentences of its studies between its marks."""
    return MARKED.sub(lambda mark: f"{mark[1]}{mark[2]}{_sentences(mark[1], root)}\n", text)


def _sentences(questions: str, root: Path) -> str:
    """Return the answers to FOLDER: FIRST minus SECOND; ..., in lines."""
    found = []
    for question in " ".join(questions.split()).split("; "):
        folder, pair = question.split(": ")
        lines = (root / folder / "tables/answers.md").read_text(encoding="utf-8").splitlines()
        start = re.compile(rf": {re.escape(written(pair))}(,| is)")
        own = [line for line in lines if start.search(line)]
        if not own:
            raise SystemExit(f"error: {folder}/tables/answers.md has no sentence on {pair}")
        found += own
    return "\n".join(textwrap.fill(line, WIDTH, **LINES) for line in found)


def main() -> None:
    """Rewrite the pages."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    for name in PAGES:
        page = ROOT / name
        page.write_text(answered(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
