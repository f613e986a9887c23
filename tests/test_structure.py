"""What importing costs."""

import subprocess
import sys

MODULES = [
    "datasets.verify",
    "cli",
    "features.torchaudio_transforms",
    "features.cache",
    "runner.identity",
    "report.figures",
    "report.build",
    "report.page",
]
CODE = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"fewshot_audio.{name}")
    if "torch" in sys.modules:
        sys.exit(f"{name} imports torch")
"""


def test_tables_and_plans_need_no_torch():
    done = subprocess.run(
        [sys.executable, "-c", CODE, *MODULES], check=False, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.returncode == 0
