"""Figure of one clip's spectrograms under several frontends."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from fewshot_audio.report.plots.style import STYLE, Drawing, head, is_at_the_left, panels, settled
from fewshot_audio.types import NoRunsError

NAME = "spectrograms"


@rc_context(STYLE)
def spectrograms(table: pd.DataFrame) -> Drawing:
    """Draw one clip as frontends show it to a model, side by side.

    Args:
        table: A row per frontend and frame: frontend, clip, seconds, then a column per band.
    """
    if table.empty:
        raise NoRunsError("figure spectrograms: no frontends")
    by_frontend = list(table.groupby("frontend", sort=False))
    figure, axes = panels(len(by_frontend), 4, 2.4)
    thin = 60 / min(4, len(by_frontend))  # aspect of a colour bar
    clip = table["clip"].iloc[0]
    alt = f"Spectrograms of {clip}, {table['seconds'].max():.2f} s."
    for axis, (frontend, rows) in zip(axes, by_frontend, strict=True):
        bar = figure.colorbar(_image(axis, rows), ax=axis, location="bottom", aspect=thin, pad=0.03)
        bar.locator = MaxNLocator(4)
        bar.outline.set_linewidth(0.5)
        head(axis, frontend)
        axis.set_xlabel("time (s)")
        axis.spines[:].set_visible(False)
        if is_at_the_left(axis):
            axis.set_ylabel("band")
        values = _values(rows)
        alt += f" {frontend}: {values.shape[0]} frames of {values.shape[1]} bands, "
        alt += f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}."
    caption = f"One clip ({clip}) as frontends show it to a model before training, each on its own "
    caption += "colour scale; dark is low."
    return Drawing(NAME, "Spectrograms of one clip", caption, alt, settled(figure), table)


def _image(axis: Axes, rows: pd.DataFrame) -> AxesImage:
    values, seconds = _values(rows), rows["seconds"].to_numpy()
    half = (seconds[1] - seconds[0]) / 2 if len(seconds) > 1 else 0.5
    extent = (seconds[0] - half, seconds[-1] + half, -0.5, values.shape[1] - 0.5)
    image = axis.imshow(values.T, origin="lower", aspect="auto", extent=extent, cmap="magma")
    image.set_interpolation("nearest")
    return image


def _values(rows: pd.DataFrame) -> np.ndarray:
    return rows.drop(columns=["frontend", "clip", "seconds"]).to_numpy(dtype=float)
