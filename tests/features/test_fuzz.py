"""Damaged files of every container: no traceback, no hang, no silent success.

A success is silent where a file decodes to other samples, or another rate, than before it was
changed, though its container has means to tell: a size, a count or a sum that contradicts.
"""

import random
import time
from collections import Counter

import numpy as np
import pytest
from broken_files import SOUNDS, cannot_tell, mutations, originals

from fewshot_audio.features.audio import READ, decode
from fewshot_audio.types import DataError

LONGEST = 1.0  # s of a processor that a file of 0.3 s may take


def decoded(file):
    try:
        return decode(file)
    except DataError:
        return None


def fuzz(folder, sounds, count, seed):
    """Decode mutated files; return how many came out how, and the silent successes."""
    chance, counts, silent = random.Random(seed), Counter(), []
    file = folder / "mutated"
    for kind, subtype, content in originals(folder, sounds):
        file.write_bytes(content)
        before = decoded(file)
        counts["originals"] += 1
        counts["originals read"] += before is not None
        assert before is None or kind in READ
        for mutation in mutations(kind, content, count, chance):
            file.write_bytes(mutation.content)
            began = time.process_time()
            after = decoded(file)
            assert time.process_time() - began < LONGEST, (kind, subtype, mutation)
            counts["tried"] += 1
            if after is None:
                counts["named"] += 1
            elif before is not None and is_same(before, after):
                counts["passed, same sound"] += 1
            elif cannot_tell(kind, subtype, content, mutation):
                counts["passed, nothing can tell"] += 1
            else:
                silent.append((kind, subtype, mutation.how, mutation.place, len(after[0])))
    return counts, silent


def is_same(before, after):
    """Whether samples and rate are the same, but for the last frame."""
    (old, rate), (new, now) = before, after
    least = min(len(old), len(new))
    return (
        rate == now and abs(len(old) - len(new)) <= 1 and np.array_equal(old[:least], new[:least])
    )


@pytest.mark.parametrize(
    ("sounds", "count", "seed"),
    [
        pytest.param(SOUNDS[:1], 10, 0, id="a sample"),
        pytest.param(SOUNDS, 200, 1, id="many", marks=pytest.mark.slow),
    ],
)
def test_damaged_files_are_named(tmp_path, sounds, count, seed):
    counts, silent = fuzz(tmp_path, sounds, count, seed)
    print(dict(counts))
    assert silent == []
    assert counts["tried"] == count * counts["originals"]
    assert counts["originals read"] >= 60 * len(sounds)
    assert counts["named"] > counts["passed, same sound"] > 0
