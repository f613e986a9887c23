"""The page: one HTML file with the answer, how sure it is, and how to get it again."""

import base64
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

OWN_IDS = ("content", "summary")  # of page.html


@dataclass(frozen=True)
class Shown:
    """A table: `html` is a whole <table>…</table>, already escaped; `name` is its id within the study."""

    name: str
    title: str
    caption: str
    html: str


@dataclass(frozen=True)
class Picture:
    """A chart as the bytes of a PNG file; `alt` says in words what it shows."""

    name: str
    title: str
    caption: str
    alt: str
    png: bytes


@dataclass(frozen=True)
class Study:
    """One results folder: a sentence per dataset, what is behind it, and (what it does, command) to get it again."""

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
    """A question and its studies to the text of an HTML file that needs no other; the same for the same input."""
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
    """A study's sections in the order of reading; none for what it does not have."""
    tables = zip(_ids(table.name for table in study.tables), study.tables, strict=True)
    pictures = zip(_ids(picture.name for picture in study.pictures), study.pictures, strict=True)
    texts = [
        _Part("notes", f"{name}-notes", "Notes on the data", study.notes),
        _Part("provenance", f"{name}-provenance", "Provenance", study.provenance),
        _Part("commands", f"{name}-commands", "How to get it again", study.commands),
    ]
    return [
        *(_Part("table", f"{name}-table-{own}", table.title, table) for own, table in tables),
        *(
            _Part("picture", f"{name}-figure-{own}", picture.title, picture)
            for own, picture in pictures
        ),
        *(part for part in texts if part.content),
    ]


def _ids(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Names to ids without a dash, which stands between the levels of an id; a name's second id is numbered."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII)
        found.append(
            next(
                each
                for each in chain([plain], (f"{plain}_{k}" for k in count(2)))
                if each not in {*found, *taken}
            )
        )
    return found


def _table(html: str, name: str) -> Markup:
    """A table under an id that no other study's table has, named by its heading and described by its caption."""
    tag = (
        f'<table id="{name}-cells" aria-labelledby="{name}-title" aria-describedby="{name}-caption"'
    )
    return Markup(re.sub(r'^\s*<table(\s+id="[^"]*")?', tag, html))


def _source(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels: the PNG format has them in the header chunk, which is always first."""
    return struct.unpack(">II", png[16:24])
