"""Small trees of official datasets."""

import importlib
import shutil

import pytest

from official_reading import job_of
from official_trees import TREES


@pytest.fixture(scope="session")
def trees(tmp_path_factory):
    """Every tree's folder and content; not to be changed."""
    roots = {name: tmp_path_factory.mktemp(name) for name in TREES}
    return {name: (root, TREES[name](root)) for name, root in roots.items()}


@pytest.fixture
def tree(request, trees, tmp_path, monkeypatch):
    """A copy of a tree, the reader taking its counts for the official ones."""
    root, content = trees[request.param]
    shutil.copytree(root, tmp_path / "tree")
    module = importlib.import_module(job_of(request.param).dataset.target.rpartition(".")[0])
    for constant, value in content.counts.items():
        monkeypatch.setattr(module, constant, value)
    return request.param, tmp_path / "tree", content
