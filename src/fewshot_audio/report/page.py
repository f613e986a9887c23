"""The page: one HTML file with the answer, how sure it is, and how to get it again."""

import base64
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fewshot_audio.report.export import html, unbroken
from fewshot_audio.report.sounds import Sound
from fewshot_audio.report.table import Table

OWN_IDS = ("content", "summary")  # of page.html


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
        sounds: Clips that can be listened to.
    """

    title: str
    verdicts: Sequence[str]
    tables: Sequence[Table]
    pictures: Sequence[Picture]
    notes: Sequence[str]
    provenance: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]
    sounds: Sequence[Sound] = ()


class Part(NamedTuple):
    """A section of a study, in one of the forms of page.html."""

    form: str
    id: str
    title: str
    content: Any


def page(question: str, studies: Sequence[Study]) -> str:
    """Return an HTML file that needs no other, the same for the same question and studies."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"unbroken": unbroken, "source": _source, "size": _size}
    ids = _ids((study.title for study in studies), OWN_IDS)
    placed = [(name, study, _parts(name, study)) for name, study in zip(ids, studies, strict=True)]
    template = environment.get_template("page.html")
    return template.render(question=question, studies=placed, html=html)


def _parts(name: str, study: Study) -> list[Part]:
    """Return a study's sections in the order of reading; none for what it does not have."""
    parts = []
    for own, table in zip(_ids(each.name for each in study.tables), study.tables, strict=True):
        parts.append(Part("table", f"{name}-table-{own}", table.title, table))
    if study.sounds:
        parts.append(Part("sounds", f"{name}-sounds", "Sound of the worst clips", study.sounds))
    pictures = study.pictures
    for own, picture in zip(_ids(each.name for each in pictures), pictures, strict=True):
        parts.append(Part("picture", f"{name}-figure-{own}", picture.title, picture))
    texts = [
        Part("notes", f"{name}-notes", "Notes on the data", study.notes),
        Part("provenance", f"{name}-provenance", "Provenance", study.provenance),
        Part("commands", f"{name}-commands", "How to get it again", study.commands),
    ]
    return parts + [part for part in texts if part.content]


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


def _size(png: bytes) -> tuple[int, int]:
    """Return width and height in pixels, which the PNG format has in its first chunk."""
    return struct.unpack(">II", png[16:24])
