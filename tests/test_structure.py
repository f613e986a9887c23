"""The house rules that can be checked by reading the code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "fewshot_audio"
FILES = sorted(SRC.rglob("*.py"))
LEVELS = [
    {"types", "seeds", "provenance", "places", "lifeline"},
    {"components", "process"},
    {"config"},
    {"sweep"},
    {"command"},
    {"data", "frontends", "models", "study"},
    {"train", "report"},
    {"job", "workers", "parity"},
    {"attempt"},
    {"work", "bench", "maps"},
    {"status"},
]


def layer(module: str) -> int:
    return next(level for level, names in enumerate(LEVELS) if module.split(".")[0] in names)


def imports(file: Path) -> list[str]:
    tree = ast.parse(file.read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names = [m for m in modules if m.startswith("fewshot_audio")]
    inner = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in names and (SRC.parent / node.module.replace(".", "/")).is_dir():
            inner += [f"{node.module}.{alias.name}" for alias in node.names]
    whole = [m for m in names if not (SRC.parent / m.replace(".", "/")).is_dir()]
    return [name.removeprefix("fewshot_audio.") for name in whole + inner]


@pytest.mark.parametrize("file", [f for f in FILES if f.name != "__init__.py"], ids=lambda f: f.relative_to(SRC).as_posix())
def test_imports_go_down_only(file):
    module = file.relative_to(SRC).with_suffix("").as_posix().replace("/", ".")
    package = module.split(".")[0]
    for other in imports(file):
        same_package = other.split(".")[0] == package and "." in module
        assert same_package or layer(other) < layer(module), f"{module} imports {other}"


def test_every_module_has_a_level():
    assert {f.relative_to(SRC).parts[0].removesuffix(".py") for f in FILES} - {"__init__"} == set().union(*LEVELS)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(SRC).as_posix())
def test_files_and_functions_stay_small_and_say_what_they_do(file):
    tree = ast.parse(file.read_text())
    assert len(file.read_text().splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    assert [n.name for n in public if not ast.get_docstring(n)] == []


@pytest.mark.parametrize("module", ["report.figures", "report.results", "report.page", "command", "study.plan", "data.verify"])
def test_tables_and_plans_need_no_torch(module):
    code = f"import sys, fewshot_audio.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_class_is_abstract_or_final():
    """No class inherits from one that can be instantiated, library classes apart."""
    classes = {n.name: n for f in FILES for n in ast.walk(ast.parse(f.read_text())) if isinstance(n, ast.ClassDef)}
    for node in classes.values():
        for base in (classes[b.id] for b in node.bases if isinstance(b, ast.Name) and b.id in classes):
            exception = base.name.endswith("Error")
            assert exception or "ABC" in {b.id for b in base.bases if isinstance(b, ast.Name)}, f"{node.name}({base.name})"
