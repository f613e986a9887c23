"""The page: one HTML file with the answer, how sure it is, and how to get it again."""

import base64
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fewshot_audio.report.answers import headlines
from fewshot_audio.report.export import fixed, html, unbroken
from fewshot_audio.report.provenance import Runs
from fewshot_audio.report.sounds import Sound
from fewshot_audio.report.table import Table
from fewshot_audio.report.written import written

OWN_IDS = ("content", "summary")  # of page.html
SHOWN = 4  # sentences of an answer, the others folded


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: Its id within the study.
        title: Its heading.
        caption: What its reader must know.
        alt: What it shows, in words.
        svg: The figure as an <svg> element.
    """

    name: str
    title: str
    caption: str
    alt: str
    svg: str


@dataclass(frozen=True)
class Study:
    """A results folder on the page.

    Attributes:
        title: Its name.
        verdicts: The answer, a sentence per dataset and pair.
        tables: What is behind it.
        pictures: The same as figures, the one that answers first.
        notes: What a reader must know about the data.
        provenance: Names and values of what made the runs.
        runs: What is behind the rows of tables.
        command: What makes the page.
        folded: Names of tables that are detail.
        sounds: Clips that can be listened to.
        asked: Its `questions`, for the answer below the page's title.
    """

    title: str
    verdicts: Sequence[str]
    notes: Sequence[str]
    runs: Sequence[Runs]
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    provenance: Sequence[tuple[str, str]] = ()
    command: str = ""
    folded: Collection[str] = ()
    sounds: Sequence[Sound] = ()
    asked: pd.DataFrame = field(default_factory=pd.DataFrame)


class Part(NamedTuple):
    """A section of a study, in one of the forms of page.html; detail is folded."""

    form: str
    id: str
    title: str
    content: Any
    is_detail: bool = False


def in_reading_order(studies: Iterable[Study]) -> list[Study]:
    """Return studies, those of the most runs first."""
    return sorted(studies, key=lambda each: -sum(sum(runs.counts.values()) for runs in each.runs))


def page(question: str, studies: Sequence[Study]) -> str:
    """Return an HTML file that needs no other, the same for the same question and studies."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "unbroken": unbroken,
        "source": _source,
        "fixed": fixed,
        "written": written,
    }
    ids = _ids((study.title for study in studies), OWN_IDS)
    placed = [(name, study, *_parts(name, study)) for name, study in zip(ids, studies, strict=True)]
    found = headlines([study.asked for study in studies])
    template = environment.get_template("page.html")
    return template.render(
        question=question, headlines=found, studies=placed, html=html, shown=SHOWN
    )


def _parts(name: str, study: Study) -> tuple[list[Part], list[Part]]:
    """Return the figure that answers, and a study's other sections in the order of reading."""
    tables, pictures = [], []
    for own, table in zip(_ids(each.name for each in study.tables), study.tables, strict=True):
        is_detail = table.name in study.folded
        tables.append(Part("table", f"{name}-table-{own}", table.title, table, is_detail))
    drawn = study.pictures
    for own, picture in zip(_ids(each.name for each in drawn), drawn, strict=True):
        part = f"{name}-figure-{own}"
        pictures.append(Part("picture", part, picture.title, _with_ids(picture, part), True))
    detail = [
        Part("sounds", f"{name}-sounds", "Sound of the worst clips", study.sounds, True),
        Part("runs", f"{name}-runs", "Runs behind the numbers", study.runs, True),
        Part("notes", f"{name}-notes", "Notes on the data", study.notes, True),
        Part("provenance", f"{name}-provenance", "Provenance", study.provenance, True),
    ]
    parts = [*tables, *pictures[1:], *[part for part in detail if part.content]]
    return pictures[:1], sorted(parts, key=lambda part: part.is_detail)


def _with_ids(picture: Picture, prefix: str) -> Picture:
    """Return a picture of which no other has an id."""
    svg = re.sub(r'( id="| xlink:href="#|url\(#)', rf"\1{prefix}-", picture.svg)
    return replace(picture, svg=svg)


def _ids(names: Iterable[str], taken: Sequence[str] = ()) -> list[str]:
    """Return ids of names, each once. They have no dash, which stands between an id's levels."""
    ids = list(taken)
    for name in names:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII)
        number, numbered = 1, plain
        while numbered in ids:
            number += 1
            numbered = f"{plain}_{number}"
        ids.append(numbered)
    return ids[len(taken) :]


def _source(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
