"""What is stored of a run that failed."""

import re
import sys

from fewshot_audio.runner import execute
from fewshot_audio.runner.failures import public
from fewshot_audio.training import run as running
from stored import lines


def test_a_traceback_names_files_by_packages(job, machine, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere" / "mine.py"
    file.write_text("def fit(*_):\n    raise RuntimeError('boom')\n")
    space = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    monkeypatch.setattr(running, "fit", space["fit"])
    execute.run(job, machine)
    files = re.findall(r'File "(.*?)", line', lines(machine)[0]["traceback"])
    assert files[0].endswith("fewshot_audio/runner/attempt.py")
    assert files[-2:] == ["fewshot_audio/training/run.py", "mine.py"]
    assert not any(each.startswith("/") for each in files)


def test_files_below_several_folders_are_named_from_the_nearest(monkeypatch):
    monkeypatch.setattr(sys, "path", ["/home/me", "/home/me/project/src", ""])
    text = 'File "/home/me/project/src/a/b.py", line 3, in c\nFile "<frozen importlib>", line 1'
    assert public(text) == 'File "a/b.py", line 3, in c\nFile "<frozen importlib>", line 1'
