"""The cap on what works at the same time on a machine."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fewshot_audio.runner.job_slots import job_slot


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (None, 5)])
def test_no_more_work_than_there_are_places(tmp_path, monkeypatch, count, expected):
    monkeypatch.setattr("fewshot_audio.runner.job_slots.POLL", 0.01)
    working, most, together = [], [], threading.Barrier(expected, timeout=30)

    def work(number):
        with job_slot(tmp_path / "places", count):
            working.append(number)
            if number < expected:
                together.wait()  # so many do work at the same time
            most.append(len(working))
            time.sleep(0.02)
            working.remove(number)

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(work, number) for number in range(5)]:
            done.result()
    assert max(most) == expected


def test_a_place_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="wrong"), job_slot(tmp_path, 1):
        raise ValueError("wrong")
    with job_slot(tmp_path, 1):
        pass
