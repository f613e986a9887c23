"""The test clips that runs with checkpoints answered worst."""

import pandas as pd

from fewshot_audio.report.checkpoints import CLIP, answered_clips
from fewshot_audio.report.records import ROW
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.table import Table, in_words, named
from fewshot_audio.report.text import NONE, points
from fewshot_audio.types import NoRunsError

NAME = "worst_clips"


def worst_clips(selection: Selection, name: str, title: str, clips: int = 10) -> Table:
    """Show the clips of each dataset, model and frontend that most runs answered wrong.

    Of clips that as many answered wrong, those whose label had the lowest probability come first.

    Args:
        selection: The runs, of which those with a checkpoint count.
        name: Of the table's files.
        title: Its heading.
        clips: The most that are shown of each dataset, model and frontend.

    Raises:
        NoRunsError: If no run has a checkpoint.
        StoreError: If one cannot be read.
    """
    runs = selection.runs[selection.runs["checkpoint"].notna()]
    if runs.empty:
        raise NoRunsError(f"table {name}: no run has a checkpoint; checkpoint=true keeps them")
    parts = []
    for row, group in runs.groupby(ROW):
        answers = pd.concat([answered_clips(folder) for folder in group["checkpoint"]])
        parts.append(_worst(answers, clips).assign(**dict(zip(ROW, row, strict=True))))
    cells = pd.concat(parts, ignore_index=True)
    cells = cells[[*ROW, *CLIP, "taken_for", "probability", "wrong", "runs"]]
    caption = (
        f"Of each row the {clips} test clips that most runs answered wrong, of these first those "
        "with the lowest probability of their label (mean over runs; of several labels the least "
        "likely one's). Runs: those with a checkpoint that tested the clip, of all n and repeats."
    )
    text, heading = _text(cells, selection.settings.compare), in_words(title, selection, cells)
    plain = text.notna() & False
    return Table(name, heading, caption, named(cells, selection), text, plain, 4)


def _worst(answers: pd.DataFrame, clips: int) -> pd.DataFrame:
    """Return `CLIP`, wrong and runs (counts), probability (mean), taken_for, the worst first."""
    columns = {"wrong": ("is_wrong", "sum"), "runs": ("is_wrong", "size")}
    each = answers.groupby(CLIP).agg(**columns, probability=("probability", "mean")).reset_index()
    each = each.assign(share=each["wrong"] / each["runs"])
    worst = each.sort_values(["share", "probability", *CLIP], ascending=[False, *[True] * 5])
    worst = worst.head(clips).drop(columns="share")
    wrong = answers[answers["is_wrong"]].groupby([*CLIP, "prediction"]).size()
    most = wrong.reset_index(name="times").sort_values("times", ascending=False, kind="stable")
    most = most.drop_duplicates(CLIP).rename(columns={"prediction": "taken_for"})
    return worst.merge(most.drop(columns="times"), on=CLIP, how="left", validate="one_to_one")


def place(path: str, start: str, end: str) -> str:
    """Return a clip's path, with the part of the file that it is."""
    if not start:
        return path
    return (
        f"{path}, {float(start):g}–{float(end):g} s" if end else f"{path}, from {float(start):g} s"
    )


def _text(cells: pd.DataFrame, compared: str) -> pd.DataFrame:
    text = cells[ROW].astype(str).rename(columns={"frontend": compared})
    text["clip"] = [place(*clip) for clip in cells[CLIP[:3]].itertuples(index=False)]
    text["label"] = cells["label"].replace("", NONE)
    text["taken for"] = cells["taken_for"].fillna(NONE).replace("", NONE)
    text["probability, %"] = [
        NONE if pd.isna(share) else points(share, False) for share in cells["probability"]
    ]
    wrong = zip(cells["wrong"], cells["runs"], strict=True)
    text["wrong in"] = [f"{wrong} of {runs} runs" for wrong, runs in wrong]
    return text
