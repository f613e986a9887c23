"""Every frontend that `fewshot_audio.frontends` names, small, and noise for it."""

import inspect
from functools import partial

import torch

from fewshot_audio import frontends
from fewshot_audio.frontends.base import Frontend

BANDS, SAMPLES = 6, 3000
LEARNED = {"conv": {"engine": "conv"}, "fast": {"engine": "fast"}, "frozen": {"learn": ()}}


def listed():
    """Classes of layers that `fewshot_audio.frontends` names, and LEAF in other arrangements."""
    classes = [getattr(frontends, name) for name in frontends.__all__]
    found = {
        each.__name__: each
        for each in classes
        if inspect.isclass(each) and issubclass(each, Frontend) and each.__name__ != "Filterbank"
    }
    others = {f"Leaf, {name}": partial(frontends.Leaf, **given) for name, given in LEARNED.items()}
    return dict(sorted((found | others).items()))


MODULES = listed()


def just_made(name, **settings):
    """A small frontend."""
    bands = "n_filters" if "n_filters" in inspect.signature(MODULES[name]).parameters else "n_bands"
    if name == "Wavegram":
        settings = {"sample_rate": 16000, "hop": 192} | settings
    return MODULES[name](**{bands: BANDS}, **settings)


def layer(name, **settings):
    """A small frontend, calibrated where it can be, its kernels drawn where they are."""
    made = just_made(name, **settings)
    made.initialise(torch.Generator().manual_seed(0))
    if "fast" in name:
        made.calibrate_on(noise(8))
    return made


def noise(*shape, seed=0, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    return (0.1 * torch.randn(*shape, SAMPLES, generator=random)).to(dtype)
