"""The page: one HTML file with the answer, how sure it is, and how to get it again."""

import base64
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

OWN_IDS = ("content", "summary")  # of page.html


@dataclass(frozen=True)
class Shown:
    """A table.

    Attributes:
        name: Its id within the study.
        title: Its heading.
        caption: What its reader must know.
        html: A whole <table>…</table>, already escaped.
    """

    name: str
    title: str
    caption: str
    html: str


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: Its id within the study.
        title: Its heading.
        caption: What its reader must know.
        alt: What it shows, in words.
        png: The bytes of a PNG file.
    """

    name: str
    title: str
    caption: str
    alt: str
    png: bytes


@dataclass(frozen=True)
class Study:
    """A results folder on the page.

    Attributes:
        title: Its name.
        verdicts: The answer, a sentence per dataset and pair.
        tables: What is behind it.
        pictures: The same as figures.
        notes: What a reader must know about the data.
        provenance: Names and values of what made the runs.
        commands: To get it again: what each does, and the command.
    """

    title: str
    verdicts: Sequence[str]
    tables: Sequence[Shown]
    pictures: Sequence[Picture]
    notes: Sequence[str]
    provenance: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class _Part:
    """A section of a study: what page.html shows, under which heading, in which of its forms."""

    form: str
    id: str
    title: str
    content: object


@dataclass(frozen=True)
class _Placed:
    id: str
    study: Study
    parts: Sequence[_Part]


def page(question: str, studies: Sequence[Study]) -> str:
    """Return an HTML file that needs no other, the same for the same question and studies."""
    folder = FileSystemLoader(Path(__file__).parent)
    html = Environment(
        loader=folder,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html.filters |= {"table": _table, "source": _source, "size": _size}
    ids = _ids((study.title for study in studies), OWN_IDS)
    placed = [
        _Placed(name, study, _parts(name, study)) for name, study in zip(ids, studies, strict=True)
    ]
    return html.get_template("page.html").render(question=question, studies=placed)


def _parts(name: str, study: Study) -> list[_Part]:
    """Return a study's sections in the order of reading; none for what it does not have."""
    parts = []
    for own, table in zip(_ids(each.name for each in study.tables), study.tables, strict=True):
        parts.append(_Part("table", f"{name}-table-{own}", table.title, table))
    pictures = study.pictures
    for own, picture in zip(_ids(each.name for each in pictures), pictures, strict=True):
        parts.append(_Part("picture", f"{name}-figure-{own}", picture.title, picture))
    texts = [
        _Part("notes", f"{name}-notes", "Notes on the data", study.notes),
        _Part("provenance", f"{name}-provenance", "Provenance", study.provenance),
        _Part("commands", f"{name}-commands", "How to get it again", study.commands),
    ]
    return parts + [part for part in texts if part.content]


def _ids(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Return ids of names, each once. They have no dash, which stands between an id's levels."""
    ids: list[str] = []
    for name in names:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII)
        numbered = plain
        number = 2
        while numbered in ids or numbered in taken:
            numbered = f"{plain}_{number}"
            number += 1
        ids.append(numbered)
    return ids


def _table(html: str, name: str) -> Markup:
    """Return a table under an id of its own, named by its heading, described by its caption."""
    names = f'id="{name}-cells" aria-labelledby="{name}-title" aria-describedby="{name}-caption"'
    return Markup(re.sub(r'^\s*<table(\s+id="[^"]*")?', f"<table {names}", html))


def _source(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _size(png: bytes) -> tuple[int, int]:
    """Return width and height in pixels, which the PNG format has in its first chunk."""
    return struct.unpack(">II", png[16:24])
