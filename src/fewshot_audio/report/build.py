"""A results folder's tables, figures and section of the page."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from fewshot_audio.components import build
from fewshot_audio.report.answers import answers, questions
from fewshot_audio.report.differences import Pairs, paired, with_pairs
from fewshot_audio.report.export import file_names, markdown, table_files
from fewshot_audio.report.page import Picture, Study
from fewshot_audio.report.provenance import notes_on, provenance, runs_behind
from fewshot_audio.report.records import read_runs, records_in
from fewshot_audio.report.selection import Selection, select
from fewshot_audio.report.sounds import Sound, sounds_of
from fewshot_audio.report.table import Table
from fewshot_audio.report.worst import NAME as WORST
from fewshot_audio.types import (
    Component,
    ConfigError,
    FewshotAudioError,
    NoRunsError,
    ReportSettings,
    StoreError,
)

HEAD = "# Results\n\nMade from the finished runs in `runs/`"  # of each folder's README
FIRST = ("accuracy", "tasks", "leaf_claims", "difference", "claims", "leaf", "controls", "baseline")
OPEN = (*FIRST, "frontends")
OLD = (  # figures that have or had one for each dataset, model or frontend
    *("accuracy", "forest", "heat", "confusion", "curves", "learned", "tasks", "completeness"),
    *("filters", "embeddings"),
)
LAST = ("batch_norm", "drift", "cost", "parameters", "per_class", WORST)
ORDER = (*FIRST, "tests", "frontends", *LAST)


@dataclass(frozen=True)
class FolderReport:
    """What is made of a results folder.

    Attributes:
        folder: The folder.
        study: Its section of the page.
        files: Content by name below the folder; a README that somebody wrote is not among them.
        stale: Files of an earlier report that this one does not make.
        errors: Why some tables could not be made.
        warnings: What a reader must know about the choice of runs.
    """

    folder: Path
    study: Study
    files: dict[str, str | bytes]
    stale: Sequence[Path]
    errors: list[FewshotAudioError]
    warnings: Sequence[str]

    def text(self) -> str:
        """Return the tables as Markdown, and once the notes that are not warnings."""
        tables = "".join(f"\n{t.title}\n\n{markdown(t, [])}" for t in self.study.tables)
        notes = [note for note in self.study.notes if note not in self.warnings]
        return tables + "".join(f"\n- {note}" for note in notes)


def report_folder(
    folders: Sequence[Path],
    components: Sequence[Component],
    settings: ReportSettings,
    alone: str | None,
    command: str,
) -> FolderReport:
    """Make a results folder's tables and, unless one table is made alone, figures and README.

    Args:
        folders: The folder, and those whose runs count as its own.
        components: All tables.
        settings: Which runs, and how they are shown.
        alone: The name of the table that is made alone; None: all are.
        command: What makes this report.

    Raises:
        StoreError: If there are no runs, or if records are broken or contradict each other.
    """
    runs, failures = read_runs(folders)
    selection = with_pairs(select(runs, settings), pairs_by_table(components))
    tables, errors = make_tables(selection, [e for e in components if alone in (None, e.name)])
    pairs = paired(selection, list(selection.pairs), partial=True)
    files, pictures = drawn(selection, pairs, folders, alone)
    sounds, silent = worst_sounds(tables, settings)
    study = replace(
        described(folders[0].name, selection, pairs, errors),
        tables=tables,
        folded=folded(tables),
        pictures=pictures,
        sounds=sounds,
        provenance=provenance(selection.runs, failures),
        command=command,
    )
    for table in tables:
        files |= table_files(table, study.notes, study.title)
    report = FolderReport(folders[0], study, files, [], errors, [*selection.notes, *silent])
    return report if alone else finished(report, components, command)


def described(
    title: str, selection: Selection, pairs: pd.DataFrame, errors: Sequence[FewshotAudioError]
) -> Study:
    """Return a study with what is said of it in words, as yet without tables and figures."""
    asked = questions(pairs, selection)
    return Study(
        title=title,
        asked=asked,
        verdicts=[*incomplete(errors), *answers(asked, selection)],
        notes=[*selection.notes, *notes_on(selection.runs)],
        runs=runs_behind(selection),
    )


def finished(report: FolderReport, components: Sequence[Component], command: str) -> FolderReport:
    """Add the answers, a README unless somebody wrote one, and what an earlier report has left."""
    answer = "".join(f"- {sentence}\n" for sentence in report.study.verdicts)
    files = {**report.files, "tables/answers.md": answer}
    if is_own(report.folder / "README.md"):
        files = {**files, "README.md": readme(report.study, command)}
    return replace(report, files=files, stale=stale(report, components, files))


def stale(
    report: FolderReport, components: Sequence[Component], files: Collection[str]
) -> list[Path]:
    """Return files of an earlier report that this one does not make."""
    names, folder = {name for each in components for name in file_names(each.name)}, report.folder
    names |= {f"tables/{each.name}_by_fold.csv" for each in components}  # of version 0.1
    if report.study.pictures:
        rows = [each.row for each in report.study.runs]
        parts = {part for row in rows for part in (row[:1], row[:2], row[1:2], row[:3:2])}
        ends = ["", *("_" + "_".join(part).replace(" / ", "_") for part in parts)]
        kinds = [f"figures/{kind}{end}" for kind in OLD for end in ends]
        names |= {f"{name}.{form}" for name in kinds for form in ("png", "pdf", "csv")}
    return [folder / name for name in sorted(names - set(files)) if (folder / name).is_file()]


def folded(tables: Sequence[Table]) -> set[str]:
    """Return the names of tables that are detail: not `OPEN`, or with what another one has."""
    sizes = {table.name: len(table.cells) for table in tables}
    names = set(sizes) - set(OPEN)
    if {"accuracy", "frontends"} <= set(sizes):
        names.add("frontends" if sizes["accuracy"] == sizes["frontends"] else "accuracy")
    return names


def in_order(components: Iterable[Component]) -> list[Component]:
    """Return tables in the order of reading, those that are not the study's last."""
    places = {name: place for place, name in enumerate(ORDER)}
    last = len(ORDER)
    return sorted(components, key=lambda each: (places.get(each.name, last), each.name))


def make_tables(
    selection: Selection, components: Sequence[Component]
) -> tuple[list[Table], list[FewshotAudioError]]:
    """Return the tables that there are runs for, in reading order, and the others' errors."""
    tables: list[Table] = []
    errors: list[FewshotAudioError] = []
    for component in in_order(components):
        try:
            tables.append(build(component, Table, selection=selection, name=component.name))
        except (ConfigError, StoreError) as error:  # other tables can be whole
            errors.append(error)
    return tables, errors


def incomplete(errors: Sequence[FewshotAudioError]) -> list[str]:
    """Return a sentence on the tables that lack runs, none where no table does."""
    of_runs = [error for error in errors if isinstance(error, StoreError)]
    lacking = [error for error in of_runs if not isinstance(error, NoRunsError)]
    heads = [str(error).partition("\n")[0] for error in lacking]
    texts = "; ".join(dict.fromkeys(head.rstrip(":") for head in heads))
    return [f"Not complete: {texts}. Tables that need them are left out."] if heads else []


def worst_sounds(
    tables: Sequence[Table], settings: ReportSettings
) -> tuple[list[Sound], list[str]]:
    """Return the sound of the worst clips where it is asked for, and why some have none."""
    worst = [table.cells for table in tables if table.name == WORST]
    if not (settings.audio and settings.audio_root and worst and "page" in settings.show):
        return [], []
    return sounds_of(worst[0], settings.audio_root)


def pairs_by_table(components: Sequence[Component]) -> dict[str, Pairs]:
    """Return the pairs of the tables of differences; other tables show those."""
    return {
        each.name: each.arguments["pairs"]
        for each in in_order(components)
        if each.arguments.get("pairs") and each.name != "tests"
    }


def drawn(
    selection: Selection, pairs: pd.DataFrame, folders: Sequence[Path], alone: str | None
) -> tuple[dict[str, str | bytes], list[Picture]]:
    """Return figures' files by their names in the first folder, and the page's pictures."""
    if alone or "figures" not in selection.settings.show:
        return {}, []
    from fewshot_audio.report import figures  # tables need no matplotlib
    from fewshot_audio.report.plots.files import figure_files, svg

    records = records_in(folders, figures.FIELDS)
    drawings = figures.draw(selection, pairs, records, folders[0])
    pictures = [
        Picture(each.name, each.title, each.caption, each.alt, svg(each)) for each in drawings
    ]
    return figure_files(drawings), pictures


def is_own(file: Path) -> bool:
    """Whether a README was made here, or there is none."""
    return not file.exists() or file.read_text(errors="replace").startswith(HEAD)


def readme(study: Study, command: str) -> str:
    """Return what the files of a results folder are, and which runs are behind them."""
    tables = ", ".join(table.name for table in study.tables)
    lines = [
        f"{HEAD}. To make it again, or what of it is missing:",
        "",
        f"    {command}",
        "",
        "- `runs/` has one line of JSON for each run.",
        f"- `tables/` has these tables: {tables}. The CSV files have every digit, with accuracy as "
        "a share of 1; the Markdown and LaTeX files have the same as text. answers.md has the "
        "answers in sentences.",
        "- `figures/` has each figure as PNG and PDF, and as CSV the numbers that no table has.",
        "",
        "What the runs are:",
        "",
        *[f"- {name}: {value}" for name, value in study.provenance],
    ]
    if study.notes:
        lines += ["", "What to know about the data:", "", *[f"- {note}" for note in study.notes]]
    return "\n".join(lines) + "\n"
