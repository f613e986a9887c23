"""Pictures for loggers, as pixels."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Filters = Mapping[str, Mapping[str, Sequence[float]]]  # of a frontend's report


def spectrogram(values: np.ndarray) -> np.ndarray:
    """Return a picture (height, width, 3) of a spectrogram (frames, bands)."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(values.T, origin="lower", aspect="auto", interpolation="nearest")
    axes.set(xlabel="frame", ylabel="band")
    figure.colorbar(image)
    return _pixels(figure)


def filters(parameters: Filters) -> np.ndarray:
    """Return a picture of each parameter by band, as it was before training and as it is now."""
    figure = Figure(figsize=(6, 2 * len(parameters)), layout="constrained")
    panels = figure.subplots(len(parameters), squeeze=False, sharex=True)[:, 0]
    for axes, (name, values) in zip(panels, parameters.items(), strict=True):
        axes.plot(values["before"], color="grey", label="at the start")
        axes.plot(values["after"], ".", label="now")
        axes.set_ylabel(name)
    panels[0].legend()
    panels[-1].set_xlabel("band")
    return _pixels(figure)


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
