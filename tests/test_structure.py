"""What importing costs."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "report.figures",
        "report.build",
        "report.page",
        "cli",
        "runner.identity",
        "datasets.verify",
    ],
)
def test_tables_and_plans_need_no_torch(module):
    code = f"import sys, fewshot_audio.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
