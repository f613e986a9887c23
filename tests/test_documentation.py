"""What README, docs/ and examples/ say is so: links, numbers, commands."""

import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest

from fewshot_audio.sweep import swept

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"python scripts/(?:run|status|prepare|splits|report|maps)\.py(?: -m)? (.+)")


def commands(page: Path) -> list[str]:
    """Return the settings of every command in the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).splitlines()
    return [match[1] for line in lines if (match := COMMAND.fullmatch(line.strip()))]


COMMANDS = sorted({each for page in PAGES if page.name != "LOG.md" for each in commands(page)})


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_command_can_be_composed(command, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "examples/my_package")])
    words = shlex.split(command.replace("…", ""), comments=True)
    overrides = [f"{word}/data" if word.endswith("=") else word for word in words]
    overrides = [each for each in overrides if not re.match(r"\+?hydra[./]launcher", each)]
    assert next(iter(swept(overrides)))


def test_code_of_leaf_runs():
    page = (ROOT / "docs/leaf.md").read_text(encoding="utf-8")
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], names)
    assert names["features"].shape == (8, 101, 40)


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            generated = target.startswith("figures/")  # by docs/hooks.py
            assert generated or (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_is_short():
    assert len(README.split()) <= 900
    assert max(map(len, README.splitlines())) <= 100


def test_readme_tells_the_numbers_of_the_tables():
    folder = ROOT / "results/us8k_two_folds/tables"
    points = pd.read_csv(folder / "difference.csv")
    assert (
        f"−{-100 * points['mean'].min():.1f} and +{100 * points['mean'].max():.1f} points" in README
    )
