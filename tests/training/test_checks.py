"""What a frontend says of its spectrograms is checked before training."""

import pytest

from fewshot_audio.frontends.log import LogLearn
from fewshot_audio.training.checks import check_spectrograms
from fewshot_audio.types import ConfigError


class LessMean(LogLearn):
    """Each value depends on the others of its band; says that it is pointwise."""

    def forward(self, *inputs):
        maps = super().forward(*inputs)
        return maps - maps.mean(1, keepdim=True)


class Half(LogLearn):
    """Every other band."""

    def forward(self, *inputs):
        return super().forward(*inputs)[..., ::2]


def test_pointwise_and_shape():
    check_spectrograms(LogLearn(2.0, -1.0, "e"), "good")
    with pytest.raises(ConfigError, match="frontend=mine: .* set pointwise = False"):
        check_spectrograms(LessMean(2.0, -1.0, "e"), "mine")
    with pytest.raises(ConfigError, match=r"frontend=mine: .*\(1, 8, 64\), expected"):
        check_spectrograms(Half(2.0, -1.0, "e"), "mine")
