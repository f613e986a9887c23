"""The files of a figure, and its vector form for the page."""

import io
import re
from collections.abc import Iterable
from typing import Any

from matplotlib import rc_context

from fewshot_audio.report.export import csv
from fewshot_audio.report.plots.style import STYLE, Drawing

TAG = re.compile(r"<[^>]+>")
LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")
REFERRED = re.compile(r'(?:href="|url\()#([^")]+)')
NOT_NEEDED = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<defs>\s*</defs>", re.DOTALL)
USUAL = re.compile(r" font-family: [^;\"]*;| transform=\"rotate\(-?0 [^\"]*\"|(?<=[;:]) ")
PIXELS = 100  # of an inch on the page: text of 8 points is 11 pixels high
METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@rc_context(STYLE)
def figure_files(drawings: Iterable[Drawing]) -> dict[str, str | bytes]:
    """Return figures' files by their names in the results folder, the same for the same drawings.

    PNG, PDF, and CSV unless a table's CSV has the numbers.
    """
    files: dict[str, str | bytes] = {}
    for drawing in drawings:
        name = f"figures/{drawing.name}"
        files[f"{name}.png"] = _saved(drawing, "png", {})
        files[f"{name}.pdf"] = _saved(drawing, "pdf", {"CreationDate": None})
        if not drawing.is_table:
            files[f"{name}.csv"] = csv(drawing.data)
    return files


@rc_context({**STYLE, "svg.fonttype": "none", "svg.hashsalt": ""})
def svg(drawing: Drawing) -> str:
    """Return a drawing as an <svg> element whose font is the page's, small."""
    text = _saved(drawing, "svg", METADATA).decode()
    text = NOT_NEEDED.sub("", text[text.index("<svg") :])
    width, height = (round(PIXELS * inches) for inches in drawing.figure.get_size_inches())
    text = re.sub(
        r'width="[^"]*" height="[^"]*"', f'width="{width}" height="{height}"', text, count=1
    )
    referred = set(REFERRED.findall(text))
    text = TAG.sub(lambda tag: _slim(tag[0], referred), text)
    text = re.sub(r"<g ?/>", "", re.sub(r">\s+<", "><", text))
    return _without_groups(text).strip()


def _without_groups(text: str) -> str:
    """Return an element without the groups that say nothing."""
    kept, opened = [], []
    for part in re.split(r"(<g[^>]*>|</g>)", text):
        says = True
        if part.startswith("<g"):
            says = part != "<g>"
            opened.append(says)
        elif part == "</g>":
            says = opened.pop()
        kept.append(part if says else "")
    return "".join(kept)


def _saved(drawing: Drawing, kind: str, metadata: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    drawing.figure.savefig(content, format=kind, metadata=metadata)
    return content.getvalue()


def _slim(tag: str, referred: set[str]) -> str:
    """Return a tag with rounded numbers, and an id only where something refers to it."""
    tag = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", tag)
    tag = LONG_NUMBER.sub(lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), tag)
    tag = re.sub(r"\s+", " ", tag)
    if tag.startswith("<path"):  # what follows a point is a point, if nothing else is said
        tag = re.sub(r'(?<= d=")[^"]*', lambda path: path[0].replace(" L ", " ").strip(), tag)
    return USUAL.sub("", tag)
