"""Figures of one clip under several frontends, and before and after training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
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
from fewshot_audio.types import NoRunsError

NAME = "spectrograms"
NOT_BANDS = ["frontend", "clip", "unit", "seconds"]
HERTZ = (200, 500, 1000, 2000, 5000, 10000, 20000)  # ticks
LOG_MEL = "log-mel"  # beside what was trained
TICKS = (200, 500, 1000, 2000, 4000, 8000, 16000)  # Hz, of a mel axis


@rc_context(STYLE)
def spectrograms(table: pd.DataFrame) -> Drawing:
    """Draw one clip as frontends show it to a model, those of one unit on one colour scale.

    Args:
        table: A row per frontend and frame: frontend, clip, unit, seconds, then a column per band.
            The first row of each frontend has no seconds, and the bands' centres in Hz.

    Raises:
        NoRunsError: If there are no rows.
    """
    if table.empty:
        raise NoRunsError("figure spectrograms: no frontends")
    if "unit" not in table:  # of an earlier scripts/maps.py
        table = table.copy().assign(unit=table["frontend"])
    scales = _scales(table)
    by_frontend = list(table.groupby("frontend", sort=False))
    figure, axes = panels(len(by_frontend), 3, 2.4)
    thin = 60 / min(3, len(by_frontend))  # aspect of a colour bar
    clip = table["clip"].iloc[0]
    alt = f"Spectrograms of {clip}, {table['seconds'].max():.2f} s."
    for axis, (frontend, rows) in zip(axes, by_frontend, strict=True):
        unit = rows["unit"].iloc[0]
        image = _image(axis, rows, scales[unit])
        bar = figure.colorbar(image, ax=axis, location="bottom", aspect=thin, pad=0.03)
        bar.locator = MaxNLocator(4)
        bar.outline.set_linewidth(0.5)
        bar.set_label("" if unit == frontend else unit)
        head(axis, str(frontend))
        axis.set_xlabel("time (s)")
        axis.spines[:].set_visible(False)
        _hertz(axis, rows)
        values = _values(rows)
        alt += f" {frontend}: {values.shape[0]} frames of {values.shape[1]} bands, "
        alt += f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}."
    caption = (
        f"One clip ({clip}) as frontends show it to a model before training. Frontends of one "
    )
    caption += "unit share a colour scale; dark is low."
    return Drawing(NAME, "Spectrograms of one clip", caption, alt, settled(figure), table)


def _scales(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return the least and the largest value of each unit."""
    groups = table.groupby("unit")
    return {str(unit): (_values(rows).min(), _values(rows).max()) for unit, rows in groups}


def _image(axis: Axes, rows: pd.DataFrame, scale: tuple[float, float]) -> AxesImage:
    values, seconds = _values(rows), rows["seconds"].dropna().to_numpy()
    half = (seconds[1] - seconds[0]) / 2 if len(seconds) > 1 else 0.5
    extent = (seconds[0] - half, seconds[-1] + half, -0.5, values.shape[1] - 0.5)
    image = axis.imshow(values.T, origin="lower", aspect="auto", extent=extent, cmap="magma")
    image.set_clim(*scale)
    image.set_interpolation("nearest")
    return image


def _hertz(axis: Axes, rows: pd.DataFrame) -> None:
    """Number the bands by their centres in Hz where they rise, or else as they are."""
    centres = rows[rows["seconds"].isna()].drop(columns=NOT_BANDS).to_numpy(float).ravel()
    if len(centres) == 0 or not (np.diff(centres) > 0).all():
        axis.set_ylabel("band")
        return
    shown = [hertz for hertz in HERTZ if centres[0] <= hertz <= centres[-1]]
    names = [f"{hertz // 1000}k" if hertz >= 1000 else f"{hertz}" for hertz in shown]
    axis.set_yticks(np.interp(shown, centres, range(len(centres))), names)
    if is_at_the_left(axis):
        axis.set_ylabel("centre of the band (Hz)")


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
        axes[0].set_ylabel("frequency (Hz)")
        stages = {f"{frontend}, {stage}": each for stage, each in rows.groupby("stage", sort=False)}
        _on_one_scale(axes[3 - len(stages) :], stages, f"output of {frontend}")
        if len(stages) == 1:
            axes[1].remove()
    clip = table["clip"].iloc[0]
    caption = f"The clip {clip} by log-mel and by frontends before and after training, bands at "
    caption += "their centres; before and after have the same colour scale."
    alt = f"Spectrograms of {clip} by {joined([LOG_MEL, *by_frontend])}."
    title = "A clip before and after training"
    return Drawing("before_and_after", title, caption, alt, settled(figure), table)


def _on_one_scale(axes: Sequence[Axes], tables: Mapping[str, pd.DataFrame], unit: str) -> None:
    """Draw bands over time, a panel each, with one colour scale and its bar."""
    images = []
    for axis, (title, rows) in zip(axes, tables.items(), strict=True):
        images.append(_mesh(axis, rows))
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


def _mesh(axis: Axes, rows: pd.DataFrame) -> Any:
    """Draw bands at their centres in Hz, on a mel axis; without centres evenly over that axis."""
    values = rows.drop(columns=["clip", "frontend", "stage", "hz"]).dropna(axis=1)
    seconds = values.columns.astype(float).to_numpy()
    edges = _edges(_mel(rows["hz"].to_numpy()), axis.get_ylim())
    half = (seconds[1] - seconds[0]) / 2
    times = np.append(seconds - half, seconds[-1] + half)
    image = axis.pcolormesh(times, edges, values, cmap="magma", rasterized=True)
    if rows["hz"].notna().all():
        ticks = [tick for tick in TICKS if edges[0] < _mel(tick) < edges[-1]]
        axis.set_yticks([_mel(tick) for tick in ticks], [f"{tick:,}" for tick in ticks])
    axis.spines[:].set_visible(False)
    return image


def _edges(places: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return where bands (bands + 1,) begin and end: half-way between their centres."""
    if np.isnan(places).any():
        return np.linspace(*limits, len(places) + 1)
    ends = [1.5 * places[0] - 0.5 * places[1], 1.5 * places[-1] - 0.5 * places[-2]]
    return np.concatenate([ends[:1], (places[1:] + places[:-1]) / 2, ends[1:]])


def _mel(hz: Any) -> Any:
    return 2595 * np.log10(1 + hz / 700)
