"""The bar over runs: what a terminal shows."""

import io
import sys
import time
from contextlib import closing

from fewshot_audio import progress
from fewshot_audio.progress import RunBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_epochs_and_the_clock_move_without_known_totals(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "TICK", 0.05)
    with closing(RunBar("proto", 2)) as bar:
        for _ in range(3):
            with progress.listening(lambda runs: bar.advance("a", runs)):
                progress.epoch_finished(2, None)
        deadline = time.monotonic() + 20
        while "00:01" not in sys.stderr.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    shown = sys.stderr.getvalue()
    assert "0.0 of 2 runs, epoch 3 [00:01" in shown
    assert shown.splitlines()[-1].strip() == ""
