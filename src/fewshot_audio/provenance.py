"""What a result was made with: commit, versions, machine."""

import platform
import re
import shlex
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("src", "conf", "scripts", "pyproject.toml")
PACKAGES = ("torch", "pytorch-lightning", "numpy", "scipy", "soundfile")


@cache
def provenance() -> dict:
    """Commit, whether the sources differ from it, and versions, as plain JSON."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": _git("status", "--porcelain", "--", *SOURCES) != "",
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def command_line(script: str, words: Sequence[str]) -> str:
    """A script of this project with its arguments as a command, folders of the user's machine left out."""
    return shlex.join(["python", f"scripts/{script}", *(re.sub(r"=[~/].*", "=...", word) for word in words)])


def _git(*arguments: str) -> str | None:
    """A git command's output, None where this is no git checkout."""
    try:
        done = subprocess.run(("git", *arguments), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
