"""Names of conf/ as articles write them, for sentences, headings and figures."""

import re

NAMES = {
    "audioset": "AudioSet",
    "cnn14": "CNN14",
    "conv_net": "ConvNet",
    "crema_d": "CREMA-D",
    "efficient_leaf": "EfficientLEAF",
    "efficientnet_b0": "EfficientNet-B0",
    "esc10": "ESC-10",
    "esc50": "ESC-50",
    "fsd50k": "FSD50K",
    "leaf": "LEAF",
    "leaf_random": "LEAF random",
    "leaf_widths": "LEAF widths",
    "log_10000": "log-10000",
    "log_eps": "log-EPS",
    "log_fixed": "log-fixed",
    "log_learn": "log-learn",
    "log_mel": "log-mel",
    "mel_pcen": "mel + PCEN",
    "nsynth": "NSynth",
    "proto": "prototypical",
    "proto_original": "prototypical original",
    "sb_cnn": "SB-CNN",
    "sincnet": "SincNet",
    "sincnet_plus": "SincNet+",
    "speech_commands": "Speech Commands",
    "tau_urban": "TAU Urban",
    "td_fbanks": "TD-fbanks",
    "timbre": "TIMBRE",
    "tut_asc": "TUT Acoustic Scenes",
    "us8k": "UrbanSound8K",
    "vgg": "VGG",
    "voxceleb1": "VoxCeleb1",
    "wavegram": "Wavegram",
}


def written(text: object) -> str:
    """Return a text in which names of conf/ are as articles write them; others stay."""
    return re.sub(r"\w+", lambda found: NAMES.get(found[0], found[0]), str(text))
