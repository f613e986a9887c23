"""Figures of one clip under several frontends, and before and after training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fewshot_audio.report.plots.style import (
    STYLE,
    WIDTH,
    Drawing,
    head,
    is_at_the_left,
    panels,
    settled,
)
from fewshot_audio.report.text import joined
from fewshot_audio.report.written import written

NAME = "spectrograms"
NOT_BANDS = ["frontend", "clip", "unit", "seconds"]
LOG_MEL = "log-mel"  # beside what was trained
TICKS = (200, 500, 1000, 2000, 4000, 8000, 16000)  # Hz, of a mel axis


@rc_context(STYLE)
def spectrograms(table: pd.DataFrame) -> Drawing:
    """Draw one clip as frontends show it to a model, those of one unit on one colour scale.

    Args:
        table: A row per frontend and frame: frontend, clip, unit, seconds, then a column per band.
            The first row of each frontend has no seconds, and the bands' centres in Hz.
    """
    scales = _scales(table)
    by_frontend = list(table.groupby("frontend", sort=False))
    figure, axes = panels(len(by_frontend), 3, 2.4)
    thin = 60 / min(3, len(by_frontend))  # aspect of a colour bar
    clip = table["clip"].iloc[0]
    alt = f"Spectrograms of {clip}, {table['seconds'].max():.2f} s."
    for axis, (frontend, rows) in zip(axes, by_frontend, strict=True):
        unit = rows["unit"].iloc[0]
        centres = rows[rows["seconds"].isna()].drop(columns=NOT_BANDS).to_numpy(float)[0]
        values = _values(rows)
        axis.set(ylim=(-0.5, len(centres) - 0.5), ylabel="band")
        image = _mesh(axis, centres, rows["seconds"].dropna().to_numpy(), values.T)
        image.set_clim(*scales[unit])
        bar = figure.colorbar(image, ax=axis, location="bottom", aspect=thin, pad=0.03)
        bar.locator = MaxNLocator(4)
        bar.outline.set_linewidth(0.5)
        bar.set_label("" if unit == frontend else unit)
        head(axis, written(frontend))
        axis.set_xlabel("time (s)")
        alt += f" {written(frontend)}: {values.shape[0]} frames of {values.shape[1]} bands, "
        alt += f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}."
    caption = f"One clip ({clip}) as frontends show it to a model before training. Frontends of "
    caption += "one unit share a colour scale; dark is low."
    return Drawing(NAME, "Spectrograms of one clip", caption, alt, settled(figure), table)


def _scales(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return the least and the largest value of each unit."""
    groups = table.groupby("unit")
    return {str(unit): (_values(rows).min(), _values(rows).max()) for unit, rows in groups}


def _values(rows: pd.DataFrame) -> np.ndarray:
    return rows.dropna(subset="seconds").drop(columns=NOT_BANDS).to_numpy(dtype=float)


@rc_context(STYLE)
def before_and_after(table: pd.DataFrame) -> Drawing:
    """Draw a clip by log-mel and by frontends before and after training, in Hz and seconds.

    A frontend has one colour scale before and after.

    Args:
        table: A row per band: clip, frontend, stage, hz, then a column per frame, by its seconds.
    """
    by_frontend = dict(list(table.groupby("frontend", sort=False)))
    log_mel = by_frontend.pop(LOG_MEL)
    figure = Figure(figsize=(WIDTH, 2.5 * len(by_frontend)), layout="constrained")
    grid = figure.subplots(len(by_frontend), 3, squeeze=False, sharey=True)
    for axes, (frontend, rows) in zip(grid, by_frontend.items(), strict=True):
        _on_one_scale([axes[0]], {LOG_MEL: log_mel}, "ln(power + 1e-5)")
        stages = {
            f"{written(frontend)}, {stage}": each
            for stage, each in rows.groupby("stage", sort=False)
        }
        _on_one_scale(axes[3 - len(stages) :], stages, f"output of {written(frontend)}")
        if len(stages) == 1:
            axes[1].remove()
    clip = table["clip"].iloc[0]
    caption = f"The clip {clip} by log-mel and by frontends before and after training, bands at "
    caption += "their centres; before and after have the same colour scale."
    alt = f"Spectrograms of {clip} by {written(joined([LOG_MEL, *by_frontend]))}."
    title = "A clip before and after training"
    return Drawing("before_and_after", title, caption, alt, settled(figure), table)


def _on_one_scale(axes: Sequence[Axes], tables: Mapping[str, pd.DataFrame], unit: str) -> None:
    """Draw bands over time, a panel each, with one colour scale and its bar."""
    images = []
    for axis, (title, rows) in zip(axes, tables.items(), strict=True):
        values = rows.drop(columns=["clip", "frontend", "stage", "hz"]).dropna(axis=1)
        seconds = values.columns.astype(float).to_numpy()
        images.append(_mesh(axis, rows["hz"].to_numpy(float), seconds, values.to_numpy()))
        head(axis, title)
        axis.set_xlabel("time (s)")
    limits = np.array([image.get_clim() for image in images])
    for image in images:
        image.set_clim(limits[:, 0].min(), limits[:, 1].max())
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    thin: dict[str, Any] = {"location": "bottom", "aspect": 20 * len(axes), "pad": 0.03}
    bar = figure.colorbar(images[0], ax=list(axes), label=unit, **thin)
    bar.outline.set_linewidth(0.5)


def _mesh(axis: Axes, centres: np.ndarray, seconds: np.ndarray, values: np.ndarray) -> Any:
    """Draw bands over time on a mel axis; evenly over the axis as it is if centres do not differ.

    Args:
        axis: Where.
        centres: Of the bands, in Hz or NaN.
        seconds: Of the frames.
        values: What is drawn (bands, frames).
    """
    order = centres.argsort(kind="stable")
    places = _mel(centres[order])
    edges = np.linspace(*axis.get_ylim(), len(places) + 1)
    if (np.diff(places) > 0).all():
        ends = [1.5 * places[0] - 0.5 * places[1], 1.5 * places[-1] - 0.5 * places[-2]]
        edges = np.concatenate([ends[:1], (places[1:] + places[:-1]) / 2, ends[1:]])
        ticks = [tick for tick in TICKS if edges[0] < _mel(tick) < edges[-1]]
        axis.set_yticks([_mel(tick) for tick in ticks], [f"{tick:,}" for tick in ticks])
        axis.set(ylim=edges[[0, -1]], ylabel="frequency (Hz)" if is_at_the_left(axis) else "")
    half = (seconds[1] - seconds[0]) / 2 if len(seconds) > 1 else 0.5
    times = np.append(seconds - half, seconds[-1] + half)
    image = axis.pcolormesh(times, edges, values[order], cmap="magma", rasterized=True)
    axis.spines[:].set_visible(False)
    return image


def _mel(hz: Any) -> Any:
    return 2595 * np.log10(1 + hz / 700)
