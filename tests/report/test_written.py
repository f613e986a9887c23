"""Names of conf/ as articles write them."""

import pytest

from fewshot_audio import compose
from fewshot_audio.report.written import NAMES, written


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("log_learn − log_eps", "log-learn − log-EPS"),
        ("leaf (multi-task)", "LEAF (multi-task)"),
        ("leaf_of_mine, Leaf, leaves", "leaf_of_mine, Leaf, leaves"),  # no names of conf/
        (
            "us8k, 3 folds: +0.4 [−1.4, 2.2] for vgg",
            "UrbanSound8K, 3 folds: +0.4 [−1.4, 2.2] for VGG",
        ),
        (0.1, "0.1"),
    ],
)
def test_names_are_written_and_all_else_stays(text, found):
    assert written(text) == found


def test_every_name_is_one_of_conf():
    files = {file.stem for file in compose.CONF.rglob("*.yaml")}
    assert set(NAMES) - files == {"efficientnet_b0"}  # of timm
    assert len(set(NAMES.values())) == len(NAMES)
