"""Tables as CSV, Markdown, LaTeX and HTML."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

import pandas as pd

from fewshot_audio.report.layout import MINUS, NONE, Table

LONG = 45  # signs of a text that LaTeX breaks into lines
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\^{}",
}
LATEX |= {
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "±": r"$\pm$",
    "×": r"$\times$",
    MINUS: "$-$",
    NONE: "--",
    "<": "$<$",
    ">": "$>$",
}


def csv(cells: pd.DataFrame) -> str:
    """Cells to CSV with every digit."""
    return cells.to_csv(index=False, lineterminator="\n")


def markdown(table: Table, notes: Sequence[str]) -> str:
    """A table to Markdown, and below it what its reader must know; what stands out is bold."""
    bold = [[f"**{text}**" if marked else text for text, marked in row] for row in _rows(table)]
    body = pd.DataFrame(bold, columns=[" ".join(filter(None, head)) for head in _heads(table)])
    lines = [
        table.caption,
        "",
        body.to_markdown(index=False, disable_numparse=True),
        "",
        *(f"- {note}" for note in notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def latex(table: Table) -> str:
    """A table to LaTeX with booktabs rules; what stands out is bold."""
    heads = _heads(table)
    body = [
        [rf"\textbf{{{_latex(text)}}}" if marked else _latex(text) for text, marked in row]
        for row in _rows(table)
    ]
    rows = [_latex_groups(table)] if len(heads[0]) > 1 else []
    rows += [" & ".join(_latex(head[-1] or head[0]) for head in heads) + r" \\"]
    lines = [f"% {table.caption}", rf"\begin{{tabular}}{{{_alignment(table)}}}", r"\toprule"]
    lines += [
        *rows,
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _alignment(table: Table) -> str:
    """LaTeX's letter for each column: numbers right, words left, sentences in a box."""
    columns = [[text for text, _ in column] for column in zip(*_rows(table), strict=True)]
    numbers = [
        all(text[:1] in "0123456789+-[" + MINUS + NONE for text in column) for column in columns
    ]
    long = [max(map(len, column)) > LONG for column in columns]
    return "".join(
        "r" if number else "p{6cm}" if wide else "l"
        for number, wide in zip(numbers, long, strict=True)
    )


def html(table: Table, name: str) -> str:
    """A table to HTML with that id: heads of columns and rows by scope; what stands out is strong."""
    first, second = [], []
    for group, columns in groupby(_heads(table), key=lambda head: head[0]):
        below = [head[1] for head in columns if len(head) > 1]
        first.append(
            _th(
                group,
                f'scope="colgroup" colspan="{len(below)}"'
                if any(below)
                else _column(rows=max(1, 2 * len(below))),
            )
        )
        second += [_th(each, _column(rows=1)) for each in below if each]
    head = [f"<tr>{''.join(row)}</tr>" for row in (first, second) if row]
    body = [
        f"<tr>{''.join(_html(*cell, place < table.labels) for place, cell in enumerate(row))}</tr>"
        for row in _rows(table)
    ]
    lines = [
        f'<table id="{escape(name)}">',
        "<thead>",
        *head,
        "</thead>",
        "<tbody>",
        *body,
        "</tbody>",
        "</table>",
    ]
    return "\n".join(lines) + "\n"


def _column(rows: int) -> str:
    return 'scope="col"' if rows == 1 else f'scope="col" rowspan="{rows}"'


def _th(text: str, attributes: str) -> str:
    return f"<th {attributes}>{escape(text)}</th>"


def _heads(table: Table) -> list[tuple[str, ...]]:
    """Each column's heads, from the top: one, or two of which the lower is empty for a label."""
    return [head if isinstance(head, tuple) else (head,) for head in table.text.columns]


def _rows(table: Table) -> list[list[tuple[str, bool]]]:
    """The cells' texts, with whether they stand out."""
    texts, marks = (
        table.text.to_numpy(dtype=object).tolist(),
        table.marked.to_numpy(dtype=bool).tolist(),
    )
    return [
        [(str(text), mark) for text, mark in zip(*row, strict=True)]
        for row in zip(texts, marks, strict=True)
    ]


def unbroken(text: str) -> str:
    """A text in which no line ends between a sign or a number and what belongs to it."""
    return text.replace("± ", "±\u00a0").replace(" %", "\u00a0%")


def _html(text: str, marked: bool, label: bool) -> str:
    inner = f"<strong>{escape(unbroken(text))}</strong>" if marked else escape(unbroken(text))
    return f'<th scope="row">{inner}</th>' if label else f"<td>{inner}</td>"


def _latex_groups(table: Table) -> str:
    """The upper heads over their columns, with a rule below each."""
    cells, rules, place = [], [], 1
    for group, columns in groupby(_heads(table), key=lambda head: head[0] if head[1] else ""):
        width = len(list(columns))
        cells += [rf"\multicolumn{{{width}}}{{c}}{{{_latex(group)}}}"] if group else [""] * width
        rules += [rf"\cmidrule(lr){{{place}-{place + width - 1}}}"] if group else []
        place += width
    return " & ".join(cells) + r" \\ " + " ".join(rules)


def _latex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)
