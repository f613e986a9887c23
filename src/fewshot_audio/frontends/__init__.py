"""Learnable frontends as PyTorch layers: from waveforms to spectrograms.

Nothing here needs more than torch and numpy, and nothing of the rest of this project.
"""

from fewshot_audio.frontends.filterbank.filterbank import Filterbank
from fewshot_audio.frontends.filterbank.filters import Gabor as GaborFilterbank
from fewshot_audio.frontends.filterbank.init import (
    Bark,
    Constant,
    Erb,
    Linear,
    Mel,
    MelGrid,
    Random,
)
from fewshot_audio.frontends.filterbank.leaf import EfficientLeaf, Leaf
from fewshot_audio.frontends.filterbank.named import SincNet, SincNetPlus, TDFilterbank
from fewshot_audio.frontends.filterbank.pooling import GaussianLowpass
from fewshot_audio.frontends.log import LogLearn, LogMel
from fewshot_audio.frontends.mel import PowerMel
from fewshot_audio.frontends.pcen import PCEN, MelPCEN
from fewshot_audio.frontends.wavegram import Wavegram

__all__ = [
    "PCEN",
    "Bark",
    "Constant",
    "EfficientLeaf",
    "Erb",
    "Filterbank",
    "GaborFilterbank",
    "GaussianLowpass",
    "Leaf",
    "Linear",
    "LogLearn",
    "LogMel",
    "Mel",
    "MelGrid",
    "MelPCEN",
    "PowerMel",
    "Random",
    "SincNet",
    "SincNetPlus",
    "TDFilterbank",
    "Wavegram",
]
