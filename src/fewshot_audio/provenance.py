"""What a result was made with: commit, versions, machine."""

import platform
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("src", "conf", "scripts", "pyproject.toml")
CHANGED = " with changes"  # to the commit
PACKAGES = ("torch", "pytorch-lightning", "numpy", "scipy", "soundfile")


@cache
def provenance() -> dict:
    """Commit and whether the sources differ from it (None where this is no git checkout), and versions, as plain JSON."""
    changes = _git("status", "--porcelain", "--", *SOURCES)
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else changes != "",
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def state(told: Mapping) -> str:
    """What `provenance` told of the code, in a few words."""
    return f"{str(told.get('commit'))[:7]}{CHANGED if told.get('dirty') else ''}"


def command_line(script: str, words: Sequence[str]) -> str:
    """A script of this project with its arguments as a command, folders of the user's machine left out."""
    return shlex.join(
        ["python", f"scripts/{script}", *(re.sub(r"=[~/].*", "=...", word) for word in words)]
    )


def _git(*arguments: str) -> str | None:
    """A git command's output, None where this is no git checkout."""
    try:
        done = subprocess.run(
            ("git", *arguments), cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
