"""Why runs fail, in words for their records."""

import errno
import os
import re
import sys
from pathlib import Path

from fewshot_audio.runner.workers import WorkerKilled
from fewshot_audio.types import DataError

ADVICE = {
    "worker killed": "often for want of memory: fewer workers=... need less",
    "out of memory": "a smaller stack=... or fewer workers=... need less",
    "disk full": "free space",
}
OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "alloc_failed",
)


def public(text: str) -> str:
    """Return a traceback with files relative to the folder that Python imports them from."""
    folders = sorted(filter(os.path.isabs, {*sys.path, os.getcwd()}), key=len, reverse=True)

    def relative(match: re.Match[str]) -> str:
        file = Path(match[1])
        for folder in folders:
            if file.is_relative_to(folder):
                return f'File "{file.relative_to(folder)}"'
        return f'File "{file.name}"'

    return re.sub(r'File "([^"<>]+)"', relative, text)


def cause_of(error: BaseException) -> str:
    """Return what kind of failure it was, for a user who asks what to change."""
    text = str(error).lower()
    if isinstance(error, WorkerKilled):
        return "worker killed"
    if isinstance(error, MemoryError) or any(sign in text for sign in OUT_OF_MEMORY):
        return "out of memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk full"
    return "data" if isinstance(error, OSError | DataError) else "error"
