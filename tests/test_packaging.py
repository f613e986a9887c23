"""The wheel: what it holds, what the layers need, and commands outside of a checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ONLY_TORCH = """
import sys
import torch
from fewshot_audio import Leaf
assert Leaf()(torch.zeros(2, 1600)).shape == (2, 40, 11)
runner = {"hydra", "omegaconf", "pandas", "scipy", "pydantic", "pytorch_lightning", "torchaudio",
          "torchmetrics", "soundfile", "msgspec", "jaxtyping", "matplotlib"}
assert not runner & set(sys.modules), runner & set(sys.modules)
sys.modules["hydra"] = None  # as if it were not installed
import fewshot_audio.__main__ as program
sys.argv = ["fewshot-audio", "run"]
program.main()
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what the wheel installs."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, source / name, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", str(source)]
    subprocess.run([sys.executable, "-m", *build], check=True, cwd=folder)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def python(installed, *words):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *words],
        cwd=installed.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_holds_settings_and_types(installed):
    package = installed / "fewshot_audio"
    ours = {file.relative_to(ROOT / "conf") for file in (ROOT / "conf").rglob("*.yaml")}
    assert {file.relative_to(package / "conf") for file in package.rglob("conf/**/*.yaml")} == ours
    assert (package / "py.typed").exists()
    assert (package / "report/page.html").exists()


def test_layers_need_torch_and_numpy_alone(installed):
    done = python(installed, "-c", ONLY_TORCH)
    assert done.returncode == 1
    assert done.stderr == "error: hydra is not installed; pip install 'fewshot-audio[runner]'\n"


def test_an_example_learns_where_nothing_else_is_installed(installed, tmp_path):
    """An environment of links to the wheel's files, torch, and what torch needs."""
    for name in needed("torch", "numpy"):
        for top in {file.parts[0] for file in distribution(name).files or ()} - {
            "..",
            "__pycache__",
        }:
            link = tmp_path / top
            if not link.exists():
                link.symlink_to(distribution(name).locate_file(top))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (installed, tmp_path)))}
    done = subprocess.run(
        [sys.executable, "-S", ROOT / "examples/leaf_in_your_own_model.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.partition("%")[0]) > 90, done.stdout
    missing = [sys.executable, "-S", "-c", "import pandas"]
    assert subprocess.run(missing, env=environment, stderr=subprocess.DEVNULL).returncode == 1


def needed(*names):
    """Names of distributions, and of those that they need on this machine."""
    found, left = set(), list(names)
    while left:
        if (name := canonicalize_name(left.pop())) not in found:
            found.add(name)
            for text in distribution(name).requires or ():
                each = Requirement(text)
                if each.marker is None or each.marker.evaluate({"extra": ""}):
                    left.append(each.name)
    return found


def test_commands_work_outside_of_a_checkout(installed, tmp_path):
    data = ["dataset=synthetic", f"dataset.root={tmp_path}", "model=timbre"]
    words = [*data, "n_per_class=1", "repeats=1", "method.max_epochs=1"]
    done = python(installed, "-m", "fewshot_audio", "run", *words)
    assert "1 trained, in " in done.stderr
    report = python(installed, "-m", "fewshot_audio", "report", "show=[tables]")
    assert report.returncode == 0, report.stderr
    assert "log-EPS" in report.stdout
    readme = (installed.parent / "results/README.md").read_text()
    assert "fewshot-audio report" in readme
