"""The page, read as HTML."""

from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from page_studies import QUESTION, STUDIES, all_of, study
from synthetic_records import PAIRS, chosen, records

from fewshot_audio.report.answers import questions
from fewshot_audio.report.differences import pair_all
from fewshot_audio.report.page import Study, in_reading_order, page


class Read(HTMLParser):
    """Tags with their attributes, and the text outside of style and script."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.code = [], "", ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.code += data if self.cdata_elem else ""
        self.text += "" if self.cdata_elem else data

    def names(self):
        return [(tag, list(attributes)) for tag, attributes in self.tags]

    def values(self, attribute):
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


@pytest.mark.parametrize(
    "text",
    ['<script>alert("x")</script>', "\"' onload='x' &lt; </style>", "{{ question }} {% x %}"],
)
def test_text_stays_text(text):
    read, plain = (Read(page(each, [all_of(each)])) for each in (text, "plain"))
    assert read.names() == plain.names()
    spaced = read.text.replace("\u00a0", " ")
    assert spaced.count(text) == plain.text.count("plain") > 10
    assert read.values("aria-label").count(text) == 3  # two figures, and a sound
    assert read.code == plain.code


def test_nothing_comes_from_elsewhere():
    read = Read(page(QUESTION, STUDIES))
    links = {each["href"] for tag, each in read.tags if tag == "a"}
    assert [link for link in links if link[0] != "#"] == ["https://arxiv.org/abs/1810.10274"]
    loaded = [each["href"] for tag, each in read.tags if "href" in each and tag != "a"]
    loaded += [each["xlink:href"] for tag, each in read.tags if "xlink:href" in each]
    loaded = [link for link in loaded if link[0] != "#"]
    sources = {value.split(",")[0] for value in loaded + read.values("src")}
    assert sources == {"data:", "data:audio/mpeg;base64"}
    attributes = {name for _, each in read.tags for name in each}
    assert not attributes & {"srcset", "data", "action", "poster", "background"}
    assert not [word for word in ("url(", "@import", "http") if word in read.code]
    assert "default-src 'none'" in " ".join(read.values("content"))


def test_ids_are_unique_and_what_refers_to_them_finds_them():
    twice = replace(study("summary"), tables=[*study().tables, *study().tables])
    alike = [replace(twice, title="a b"), replace(twice, title="a-b")]
    read = Read(page(QUESTION, [*STUDIES, *STUDIES, twice, *alike]))
    ids = read.values("id")
    assert len(ids) == len(set(ids)) > 100
    links = read.values("href") + read.values("xlink:href")
    targets = [link.removeprefix("#") for link in links if link.startswith("#")]
    named = " ".join(read.values("aria-labelledby") + read.values("aria-describedby")).split()
    assert {*targets, *named} <= set(ids)


def test_headings_pictures_and_landmarks():
    read = Read(page(QUESTION, STUDIES))
    names = [tag for tag, _ in read.tags]
    levels = [int(name[1]) for name in names if name in ("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1 < min(levels[1:])
    assert all(after - before <= 1 for before, after in pairwise(levels))
    drawings = [each["aria-label"] for _, each in read.tags if each.get("role") == "img"]
    assert drawings == ["Both rise with n."] * 6
    sizes = [(each["width"], each["height"]) for tag, each in read.tags if tag == "svg"]
    assert sizes == [("720", "240")] * 3 + [("900", "300")] * 3  # those that answer come first
    assert [names.count(name) for name in ("main", "nav", "header", "figcaption")] == [1, 1, 1, 6]
    assert dict(read.tags)["html"] == {"lang": "en"}


def test_the_same_input_gives_the_same_page():
    again = [study(each.title) for each in STUDIES]
    assert page(QUESTION, STUDIES) == page(QUESTION, again)


def test_what_a_study_has_not_has_no_section():
    bare = Read(page(QUESTION, [Study("empty", ["Not run."], [], [])]))
    assert [tag for tag, _ in bare.tags].count("section") == 2
    assert "There are no results yet." in Read(page(QUESTION, [])).text


def test_the_answer_is_below_the_title():
    selection = chosen(records())
    asked = questions(pair_all(selection, "v", PAIRS, partial=True), selection)
    made = page(QUESTION, [replace(study("a"), asked=asked)])
    text = " ".join(Read(made).text.split())
    assert (
        f"{QUESTION} Learning the log-mel's compression (log-learn minus log-EPS, in points): cannot tell"
        in text
    )
    assert made.index("cannot tell yet") < made.index("<nav")
    assert made.index("<svg") < made.index(
        "UrbanSound8K: learning changed"
    )  # in one screen with it
    assert "Learning the" not in Read(page(QUESTION, [study("a")])).text


def test_a_heading_names_and_a_caption_describes_a_table():
    read = Read(page(QUESTION, [study("a")]))
    tables = [attributes for tag, attributes in read.tags if tag == "table"]
    assert tables[0] == {
        "id": "a-table-accuracy-cells",
        "aria-labelledby": "a-table-accuracy-title",
        "aria-describedby": "a-table-accuracy-caption",
    }
    assert ("strong", {}) in read.tags
    assert "In\u00a0%: mean ±\u00a01." in read.text
    assert "47.3 ±\u00a02.1 (20)" in read.text


def test_nothing_is_said_twice_and_detail_is_folded():
    made = page(QUESTION, [study("a")])
    text = Read(made).text.replace("\u00a0", " ")
    for said in (*study().verdicts, study().pictures[0].caption, study().notes[0], study().command):
        assert text.count(said) == 1
    closed = made.split("<details>")[1:]
    titles = ("More", "Twice", "Sound of", "Runs behind", "Notes", "Provenance")
    assert [title in part for title, part in zip(titles, closed, strict=True)] == [True] * 6
    assert made.index("<svg") < made.index("<table") < made.index("<details>")


def test_many_sentences_are_folded_and_large_studies_first():
    """The first four sentences stay; studies of many runs come first."""
    many = replace(
        study("a"), verdicts=["First.", "Second.", "Third.", "Fourth.", "Fifth.", "Sixth."]
    )
    made = page(QUESTION, [many])
    assert "2 more" in made
    assert made.index("Fourth.") < made.index("2 more") < made.index("Fifth.")
    few = replace(study("few"), runs=study().runs[:1])
    assert [each.title for each in in_reading_order([few, many])] == ["a", "few"]
