"""Tables as CSV, Markdown, LaTeX and HTML, and files written whole."""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from fewshot_audio.files import atomic_write
from fewshot_audio.report.table import Table
from fewshot_audio.report.text import MINUS, NONE, n_text
from fewshot_audio.report.written import written

NAMED = ("dataset", "model", "frontend", "difference", "shown", "found", "points")
LONG = 45  # characters of a text that LaTeX breaks into lines
NUMBER = re.compile(rf"[\d+\-\[{MINUS}{NONE}]")
LATEX = str.maketrans(
    {
        "±": r"$\pm$",
        "²": "$^2$",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "…": r"\ldots{}",
        "×": r"$\times$",
        MINUS: "$-$",
        NONE: "--",
        "<": "$<$",
        ">": "$>$",
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%#_${}"},
    }
)

PlainStyler = Styler.from_custom_template([str(Path(__file__).parent)], "table.html")


def csv(cells: pd.DataFrame) -> str:
    """Return cells as CSV with every digit."""
    if "n_per_class" in cells:
        cells = cells.assign(n_per_class=cells["n_per_class"].map(n_text, na_action="ignore"))
    return cells.to_csv(index=False, lineterminator="\n")


def markdown(table: Table, notes: Sequence[str]) -> str:
    """Return a table as Markdown with its caption above and notes below."""
    body = _texts(table, lambda text: text.replace("|", "\\|"), "**{}**")
    body.columns = [" ".join(filter(None, _levels(head))) for head in body.columns]
    lines = [written(table.caption), "", body.to_markdown(index=False, disable_numparse=True), ""]
    lines += [f"- {note}" for note in notes]
    return "\n".join(lines).rstrip() + "\n"


def latex(table: Table, study: str = "") -> str:
    """Return a table as LaTeX to paste, with booktabs rules, a caption and a label of the study."""
    body = _texts(table, _latex, r"\textbf{{{}}}")
    body = body.rename(columns=_latex)
    aligned = "".join(_alignment(column.tolist()) for _, column in table.text.astype(str).items())
    style = body.style.hide(axis="index")
    tabular = style.to_latex(hrules=True, multicol_align="c", column_format=aligned)
    label = ":".join(filter(None, ("tab", study, table.name)))
    head = f"\\centering\n\\caption{{{_latex(written(table.caption))}}}\n\\label{{{label}}}\n"
    return f"% \\usepackage{{booktabs}}\n\\begin{{table}}\n{head}{tabular}\\end{{table}}\n"


def html(table: Table, name: str) -> str:
    """Return a table as HTML for a section of the page, whose id is the name."""
    body = _texts(table, lambda text: escape(unbroken(text)), "<strong>{}</strong>")
    style = PlainStyler(body, uuid=name).hide(axis="index")
    hidden = _fixed(table)
    return style.to_html(exclude_styles=True, labels=table.labels, hidden=hidden)


def fixed(table: Table) -> str:
    """Return in words the labels that all rows share, which `html` hides."""
    columns = [(_levels(table.text.columns[place])[-1], place) for place in _fixed(table)]
    text = named(table)
    words = [f"{head} {text.iat[0, place]}" for head, place in columns]
    return f" All rows: {', '.join(words)}." if words else ""


def _fixed(table: Table) -> list[int]:
    """Return the places of labels that all rows share, but for the last of several."""
    labels = range(table.labels)
    alike = [place for place in labels if table.text.iloc[:, place].nunique() == 1]
    return alike[:-1] if len(alike) == table.labels else alike


def unbroken(text: str) -> str:
    """Return a text whose lines do not end between a number and its sign or unit."""
    return text.replace("± ", "±\u00a0").replace(" %", "\u00a0%")


def file_names(table: str) -> list[str]:
    """Return the names that a table's files may have in the results folder."""
    return [f"tables/{table}{end}" for end in (".csv", ".md", ".tex")]


def table_files(table: Table, notes: Sequence[str], study: str = "") -> dict[str, str]:
    """Return the files of a table of a study by their names in the results folder."""
    texts = [csv(table.cells), markdown(table, notes), latex(table, study)]
    return dict(zip(file_names(table.name), texts, strict=True))


def write(files: Mapping[str, str | bytes], folder: Path) -> list[Path]:
    """Write files by name below a folder, each whole or not at all, and return their paths."""
    for name, content in files.items():
        with atomic_write(folder / name) as draft:
            draft.write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]


def named(table: Table) -> pd.DataFrame:
    """Return a table's texts with names of conf/ as articles write them; clips and classes stay."""
    text = table.text.astype(str)
    for place, head in enumerate(map(_levels, text.columns)):
        if head[-1] in NAMED:
            text.isetitem(place, text.iloc[:, place].map(written))
    return text.rename(columns=written)


def _texts(table: Table, escaped: Callable[[str], str], bold: str) -> pd.DataFrame:
    """Return the escaped texts of a table, those that stand out within `bold`."""
    text = named(table).map(escaped)
    return text.where(~table.bold.to_numpy(), text.map(bold.format))


def _alignment(texts: list[str]) -> str:
    """Return LaTeX's letters for a column: numbers right, words left, sentences in a box."""
    if all(NUMBER.match(text) for text in texts):
        return "r"
    return "p{6cm}" if max(map(len, texts)) > LONG else "l"


def _levels(head: str | tuple[str, ...]) -> tuple[str, ...]:
    return head if isinstance(head, tuple) else (head,)


def _latex(text: str) -> str:
    """Return a text with LaTeX's special signs escaped."""
    return text.translate(LATEX)
