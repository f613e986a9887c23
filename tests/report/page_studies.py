"""Studies of a page: a table of numbers of every form, a wide one, and a figure."""

import functools
import io
from itertools import product

import numpy as np
import pandas as pd
import soundfile

from fewshot_audio.report.page import Picture, Study
from fewshot_audio.report.provenance import Runs
from fewshot_audio.report.sounds import Sound
from fewshot_audio.report.table import Table

QUESTION = "Does learned compression beat the fixed logarithm with few clips per class?"
RUN = "python scripts/run.py -m +study=us8k_two_folds dataset.root=/data/UrbanSound8K workers=8"
NARROW = pd.DataFrame(
    [
        ("sb_cnn", "47.3 ± 2.1 (20)", "+12.5 ± 3.1 (20)", "better"),
        ("vgg", "–", "[−0.4, 1.2]", "unclear"),
        ("proto", "1,000 (1)", "–", "–"),
        ("timbre", "9.8 ± 0.1 (20)", "-3.0 (1)", "2nd, worse"),
    ],
    columns=["model", "accuracy", "difference", "verdict"],
)


def svg(width, height):
    """A picture of a dot that is referred to, and of a text."""
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    dot = '<defs><path id="m1" d="M 0 0 0 9"/></defs><use xlink:href="#m1" x="9" y="9"/>'
    return f'<svg {size}>{dot}<text x="9" y="40" style="font-size: 12px">vgg</text></svg>'


@functools.cache
def mp3():
    """A second of silence."""
    content = io.BytesIO()
    soundfile.write(content, np.zeros(8000), 8000, format="MP3")
    return content.getvalue()


def table(name, title, caption, text, labels):
    """A table whose fourth row stands out."""
    bold = text.notna() & (text.index.to_numpy() == 3)[:, None]
    bold.iloc[:, :labels] = False
    return Table(name, title, caption, text, text, bold, labels)


def wide():
    """Two frontends below each of seven n."""
    columns = [("", "dataset"), ("", "model")]
    for n, frontend in product((1, 2, 5, 10, 20, 50, 100), ("log_eps", "log_learn")):
        columns.append((f"n = {n}", frontend))
    rows = []
    names = product(("us8k", "tut_asc"), ("sb_cnn", "proto_original"))
    for number, name in enumerate(names, 1):
        rows.append([*name, *[f"{number}{place % 10}.5 ± 12.1 (20)" for place in range(14)]])
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(columns))


def study(title="us8k_two_folds"):
    words = "Accuracy against n", "Bars are standard deviations.", "Both rise with n."
    return Study(
        title,
        verdicts=[
            "UrbanSound8K: learning changed accuracy by +1.5 points (95 % interval −0.4 to 3.4).",
            "TUT: not run.",
        ],
        tables=[
            table("accuracy", "Accuracy", "In %: mean ± 1.", NARROW, 1),
            table("all", "All n", "Caption.", wide(), 2),
            table("more", "More", "Caption.", NARROW, 1),
        ],
        pictures=[
            Picture("accuracy", *words, svg(720, 240)),
            Picture("b", "Twice", "Seen again.", words[2], svg(900, 300)),
        ],
        notes=[
            "813 of 1761 listed clips are missing",
            "after https://arxiv.org/abs/1810.10274, appendix A.3",
        ],
        provenance=[
            ("commit", "c67aeb4f4917c6015c1cda1a0f2b8d63c9ec6bf3 " * 3),
            ("machine", "2 cores"),
        ],
        runs=[
            Runs(("us8k", model, frontend), {"1": 20, "5": 1}, "1, 2", f"{RUN} n_per_class=[1,5]")
            for model in ("sb_cnn", "vgg")
            for frontend in ("log_eps", "log_learn")
        ],
        command="python scripts/report.py",
        folded=["more"],
        sounds=[Sound("dog/1.wav, 0–1 s", "dog; taken for bell (vgg / leaf)", mp3())],
    )


def all_of(text):
    """A study that has one text everywhere."""
    cells = pd.DataFrame([[text] * 2] * 4, columns=["model", text])
    shown = table(text, text, text, cells, 1)
    picture, sounds = Picture(text, text, text, text, svg(3, 2)), [Sound(text, text, mp3())]
    runs = [Runs((text, text, text), {text: 1}, text, text)]
    return Study(
        text,
        verdicts=[text],
        notes=[text],
        runs=runs,
        tables=[shown],
        pictures=[picture, picture],
        provenance=[(text, text)],
        command=text,
        sounds=sounds,
    )


STUDIES = [study(), study("us8k_controls"), study("us8k_leaf")]
