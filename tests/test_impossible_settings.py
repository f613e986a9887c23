"""Settings that are no value: one sentence that names them, at once; never a traceback."""

import random
import resource
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from fewshot_audio import compose
from setting_cases import CHOICES, Case, Door

LONGEST = 2.0  # s of this process for one dry run
ROOM = 4 << 30  # bytes beside those that are in use


@pytest.fixture(scope="module")
def door(tmp_path_factory) -> Iterator[Door]:
    """Where cases are tried; files of conf/ are read once for all of them."""
    read = cache(compose.files_of)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "files_of", lambda group, words=(): read(group, tuple(words)))
        yield Door(tmp_path_factory.mktemp("door"))


@pytest.fixture(autouse=True)
def _small_memory(tmp_path, monkeypatch):
    """Work in an empty folder, in which what is too large is an error instead of a full machine."""
    monkeypatch.chdir(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def tried(door: Door, cases: list[Case]) -> Counter[str]:
    """Try cases; return how many were named and accepted, and all that went wrong, by its text.

    What cannot be planned in any case, for want of an official dataset, is not reached in some.
    """
    without = {choice: door.answer(Case(choice, (), "")) for choice in {c.choice for c in cases}}
    found: Counter[str] = Counter()
    for case in cases:
        start = time.process_time()
        try:
            answer = door.answer(case)
        except Exception:
            found[f"{case}: {traceback.format_exc()}"] += 1
            continue
        if time.process_time() - start > LONGEST:
            found[f"{case}: {time.process_time() - start:.1f} s"] += 1
        elif answer == without[case.choice]:
            found["not reached" if answer else "accepted"] += 1
        elif answer is None:
            found["accepted"] += 1
        else:
            found["named" if case.names(answer) else f"{case}: {answer}"] += 1
    return found


def wrong(found: Counter[str]) -> list[str]:
    return sorted(set(found) - {"named", "accepted", "not reached"})


def test_a_sample_of_settings_is_named_or_accepted(door):
    cases = [case for choice in ("", "frontend=leaf") for case in door.cases(choice)]
    found = tried(door, random.Random(0).sample(cases, 30))
    assert not wrong(found)
    assert found["named"] > found["accepted"] > 0


@pytest.mark.slow
def test_every_setting_of_every_file_is_named_or_accepted(door, capsys):
    found: Counter[str] = Counter()
    for choice in CHOICES:
        found += tried(door, list(door.cases(choice)))
    with capsys.disabled():
        counts = {name: found[name] for name in ("named", "accepted", "not reached")}
        print(f"\n{found.total()} tried, {len(wrong(found))} wrong, {counts}")
    assert not wrong(found)
    assert found.total() > 4000
