"""Synthetic recordings."""

import resource

import pytest

from fewshot_audio.datasets.sounds import CLASSES
from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.types import DataError


@pytest.mark.parametrize("layout", ["us8k", "tut_asc"])
def test_files_depend_on_nothing_but_their_names(tmp_path, layout):
    one, other = (
        synthetic("synthetic", tmp_path / name, layout, 2, 1, validation="none") for name in "ab"
    )
    assert one.classes == tuple(CLASSES)
    assert [clip.path for clip in one.clips] == [clip.path for clip in other.clips]
    for clip in one.clips:
        assert (one.root / clip.path).read_bytes() == (other.root / clip.path).read_bytes()


def test_root_with_other_data_is_refused(tmp_path):
    synthetic("synthetic", tmp_path, groups=2, clips_per_class=1, validation="none")
    with pytest.raises(DataError, match="holds other data than"):
        synthetic("synthetic", tmp_path, groups=3, clips_per_class=1, validation="none")


def test_a_full_disk_is_an_oserror_and_leaves_nothing(tmp_path):
    """A limit on the size of files does what a full disk does."""
    settings = {"groups": 2, "clips_per_class": 1, "validation": "none"}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            synthetic("synthetic", tmp_path, **settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == [".lock-us8k"]
    assert len(synthetic("synthetic", tmp_path, **settings).clips) == 10
