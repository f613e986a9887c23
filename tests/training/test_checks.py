"""What a frontend says of its spectrograms is checked before training."""

import pytest
import torch

from fewshot_audio.frontends.log import LogLearn
from fewshot_audio.training.checks import check_spectrograms
from fewshot_audio.types import ConfigError


class LessMean(LogLearn):
    """Each value depends on the others of its band; says that it is pointwise."""

    def compute(self, *inputs):
        maps = super().compute(*inputs)
        return maps - maps.mean(1, keepdim=True)


class BlurLater(LogLearn):
    """As it starts in a run a value depends on its neighbours; says that it is pointwise."""

    share = 0.0

    def initialise(self, generator):
        self.share = torch.rand((), generator=generator)

    def compute(self, *inputs):
        spectrogram = super().compute(*inputs)
        return spectrogram + self.share * spectrogram.roll(1, dims=1)


class Half(LogLearn):
    """Every other band."""

    def compute(self, *inputs):
        return super().compute(*inputs)[..., ::2]


def test_pointwise_and_shape():
    check_spectrograms(LogLearn(a=2.0, b=-1.0), "good")
    with pytest.raises(ConfigError, match="frontend=mine: .* set pointwise = False"):
        check_spectrograms(LessMean(a=2.0, b=-1.0), "mine")
    with pytest.raises(ConfigError, match="frontend=mine: .* set pointwise = False"):
        check_spectrograms(BlurLater(a=2.0, b=-1.0), "mine")
    with pytest.raises(ConfigError, match=r"frontend=mine: .*\(1, 8, 64\), expected"):
        check_spectrograms(Half(a=2.0, b=-1.0), "mine")
