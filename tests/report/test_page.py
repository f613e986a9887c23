"""The page, read as HTML and opened in a real browser."""

import re
import shutil
import struct
import zlib
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise, product

import pytest

from fewshot_audio.report.page import Picture, Shown, Study, page

QUESTION = "Does learned compression beat the fixed logarithm with few clips per class?"
SIZES = [(380, 800), (1400, 900)]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def png(width, height):
    """A white picture, by the PNG specification."""
    rows = (b"\0" + b"\xff" * width) * height
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    framed = [
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d))
        for k, d in chunks.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def row(headings, texts):
    return (
        "<tr>"
        + "".join(f'<th scope="row">{h}</th>' for h in headings)
        + "".join(f"<td>{t}</td>" for t in texts)
        + "</tr>"
    )


def narrow_table():
    """Numbers of every form."""
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("model", "accuracy", "difference", "verdict")
    )
    rows = {
        "sb_cnn": ("47.3 ± 2.1 (20)", "+12.5 ± 3.1 (20)", "better"),
        "vgg": ("–", "[−0.4, 1.2]", "unclear"),
        "proto": ("1,000 (1)", "–", "–"),
        "timbre": ("<strong>9.8 ± 0.1 (20)</strong>", "-3.0 (1)", "2nd, worse"),
    }
    body = "".join(row([name], texts) for name, texts in rows.items())
    return f'<table id="narrow"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def wide_table():
    """Two frontends below each of seven n."""
    leading = "".join(f'<th scope="col" rowspan="2">{name}</th>' for name in ("dataset", "model"))
    groups = "".join(
        f'<th scope="colgroup" colspan="2">n = {n}</th>' for n in (1, 2, 5, 10, 20, 50, 100)
    )
    arms = '<th scope="col">log_eps</th><th scope="col">log_learn</th>' * 7
    names = [
        (dataset, model)
        for dataset in ("us8k", "tut_asc")
        for model in ("sb_cnn", "proto_original")
    ]
    body = "".join(
        row(name, [f"{k}{c % 10}.5 ± 12.1 (20)" for c in range(14)])
        for k, name in enumerate(names, 1)
    )
    return f'<table id="wide"><thead><tr>{leading}{groups}</tr><tr>{arms}</tr></thead><tbody>{body}</tbody></table>'


def study(title="us8k_two_folds"):
    command = "python scripts/run.py -m +study=us8k_two_folds dataset.root=/data/UrbanSound8K workers=8\nmake report"
    return Study(
        title,
        [
            "UrbanSound8K: learning changed accuracy by +1.5 points (95 % interval −0.4 to 3.4).",
            "TUT: not run.",
        ],
        [
            Shown("accuracy", "Accuracy", "In %: mean (runs).", narrow_table()),
            Shown("all", "All n", "Caption.", wide_table()),
        ],
        [
            Picture(
                "accuracy",
                "Accuracy against n",
                "Bars are standard deviations.",
                "Both rise with n.",
                png(900, 300),
            )
        ],
        [
            "813 of 1761 listed clips are missing",
            "after https://arxiv.org/abs/1810.10274, appendix A.3",
        ],
        [("commit", "c67aeb4f4917c6015c1cda1a0f2b8d63c9ec6bf3 " * 3), ("machine", "2 cores")],
        [("Make the missing runs", command), ("Make this page", "python scripts/report.py")],
    )


STUDIES = [study(), study("us8k_controls"), study("us8k_leaf")]


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


def all_of(text):
    """A study that has one text everywhere."""
    table, picture = (
        Shown(text, text, text, narrow_table()),
        Picture(text, text, text, text, png(3, 2)),
    )
    return Study(text, [text], [table], [picture], [text], [(text, text)], [(text, text)])


@pytest.mark.parametrize(
    "text",
    ['<script>alert("x")</script>', "\"' onload='x' &lt; </style>", "{{ question }} {% x %}"],
)
def test_text_stays_text(text):
    found, plain = Read(page(text, [all_of(text)])), Read(page("plain", [all_of("plain")]))
    assert found.names() == plain.names()
    assert found.text.count(text) == plain.text.count("plain") > 10
    assert found.values("alt") == [text]
    assert found.code == plain.code


def test_nothing_comes_from_elsewhere():
    read = Read(page(QUESTION, STUDIES))
    links = [attributes["href"] for tag, attributes in read.tags if tag == "a"]
    assert {link for link in links if not link.startswith("#")} == {
        "https://arxiv.org/abs/1810.10274"
    }
    others = [
        attributes["href"] for tag, attributes in read.tags if "href" in attributes and tag != "a"
    ]
    assert {value.split(",")[0] for value in [*others, *read.values("src")]} == {
        "data:",
        "data:image/png;base64",
    }
    assert not {"srcset", "data", "action", "poster", "background"} & {
        name for _, each in read.tags for name in each
    }
    assert not [word for word in ("url(", "@import", "http") if word in read.code]
    assert "default-src 'none'" in " ".join(read.values("content"))


def test_ids_are_unique_and_what_refers_to_them_finds_them():
    twice = replace(study("summary"), tables=[*study().tables, *study().tables])
    read = Read(
        page(
            QUESTION,
            [*STUDIES, *STUDIES, twice, replace(twice, title="a b"), replace(twice, title="a-b")],
        )
    )
    ids = read.values("id")
    assert len(ids) == len(set(ids)) > 100
    targets = [link.removeprefix("#") for link in read.values("href") if link.startswith("#")]
    named = " ".join(read.values("aria-labelledby") + read.values("aria-describedby")).split()
    assert {*targets, *named} <= set(ids)


def test_headings_pictures_and_landmarks():
    read = Read(page(QUESTION, STUDIES))
    names = [tag for tag, _ in read.tags]
    levels = [int(name[1]) for name in names if name in ("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1 < min(levels[1:])
    assert all(after - before <= 1 for before, after in pairwise(levels))
    pictures = [attributes for tag, attributes in read.tags if tag == "img"]
    assert [(p["alt"], p["width"], p["height"]) for p in pictures] == [
        ("Both rise with n.", "900", "300")
    ] * 3
    assert [names.count(name) for name in ("main", "nav", "header", "figcaption")] == [1, 1, 1, 3]
    assert dict(read.tags)["html"] == {"lang": "en"}


def test_the_same_input_gives_the_same_page():
    assert page(QUESTION, STUDIES) == page(
        QUESTION, tuple(map(study, ("us8k_two_folds", "us8k_controls", "us8k_leaf")))
    )


def test_what_a_study_has_not_has_no_section():
    bare = Read(page(QUESTION, [Study("empty", ["Not run."], [], [], [], [], [])]))
    assert [tag for tag, _ in bare.tags].count("section") == 2
    assert "There are no results yet." in Read(page(QUESTION, [])).text


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install 'fewshot-audio[browser]'"
    )
    found = [*filter(None, map(shutil.which, BROWSERS))] or pytest.skip(
        f"none of {BROWSERS} is there: apt install chromium"
    )
    launch = {"executable_path": found[0], "args": ["--no-sandbox"]}
    with api.sync_playwright() as playwright, playwright.chromium.launch(**launch) as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page(QUESTION, STUDIES), encoding="utf-8")
    return path.as_uri()


@contextmanager
def opened(browser, address, size=SIZES[1], init="", **options):
    """The page in a context of its own; at the end, no error and no request but that for the file."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    context.add_init_script(init)
    tab = context.new_page()
    errors, requests = [], []
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(address)
    yield tab
    assert errors == []
    assert [url for url in requests if not url.startswith("data:")] == [address]
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "upward", "downward"),
    [
        ("model", "proto sb_cnn timbre vgg", "vgg timbre sb_cnn proto"),
        ("accuracy", "timbre sb_cnn proto vgg", "proto sb_cnn timbre vgg"),
        ("difference", "timbre vgg sb_cnn proto", "sb_cnn vgg timbre proto"),
        ("verdict", "timbre sb_cnn vgg proto", "vgg sb_cnn timbre proto"),
    ],
)
def test_headings_sort_by_mouse_and_keyboard(browser, address, column, upward, downward):
    with opened(browser, address) as tab:
        table = tab.locator("#us8k_two_folds-table-accuracy-cells")
        table.get_by_role("button", name="verdict" if column == "model" else "model").click()
        button = table.get_by_role("button", name=column)
        for press, order, direction in (
            ("", upward, "ascending"),
            ("Enter", downward, "descending"),
            (" ", upward, "ascending"),
        ):
            button.press(press) if press else button.click()
            assert table.locator("tbody th").all_inner_texts() == order.split()
            assert table.locator("[aria-sort]").all_inner_texts() == [column]
            assert table.locator("[aria-sort]").get_attribute("aria-sort") == direction
            assert button.evaluate("e => e === document.activeElement")
        cells = table.locator("tr").last.locator("th, td")
        assert cells.evaluate_all("all => all.map(e => getComputedStyle(e).textAlign)") == [
            "left",
            "right",
            "right",
            "left",
        ]


@pytest.mark.slow
def test_a_table_with_groups_of_columns_sorts_by_its_last_headings(browser, address):
    with opened(browser, address) as tab:
        table = tab.locator("#us8k_two_folds-table-all-cells")
        assert table.get_by_role("button").count() == 16
        table.get_by_role("button", name="log_eps").nth(3).dblclick()
        rows = table.locator("tbody tr")
        assert [rows.nth(k).locator("td").nth(6).inner_text()[:2] for k in range(4)] == [
            "46",
            "36",
            "26",
            "16",
        ]
        table.get_by_role("button", name="model").click()
        assert (
            rows.locator("th:nth-child(2)").all_inner_texts()
            == ["proto_original"] * 2 + ["sb_cnn"] * 2
        )


LAYOUT = """() => {
  const blocks = "h1, h2, h3, p, li:not(:has(li)), dt, dd, figcaption, th, td, pre, img, .command button";
  const all = [...document.querySelectorAll(blocks)].map(
    e => ({e, box: e.getBoundingClientRect(), text: e.textContent}));
  const shown = all.filter(({box}) => box.width > 0);
  const before = (a, b) => a.right <= b.left + 1 || a.bottom <= b.top + 1;
  const meet = (a, b) => !a.e.contains(b.e) && !before(a.box, b.box) && !before(b.box, a.box);
  const leaves = ({left, right}) => left < 0 || right > innerWidth;
  return {
    shown: shown.length,
    smallest: Math.min(...shown.map(({e}) => parseFloat(getComputedStyle(e).fontSize))),
    sideways: document.documentElement.scrollWidth - innerWidth,
    over: shown.flatMap((a, k) => shown.slice(k + 1).filter(b => meet(a, b)).map(b => [a.text, b.text])),
    out: shown.filter(({e, box}) => !e.closest("table")
      && (leaves(box) || e.scrollWidth > e.clientWidth + 1)).map(e => e.text),
    pictures: [...document.images].map(e => e.naturalWidth),
    regions: [...document.querySelectorAll(".scroll")].filter(e => leaves(e.getBoundingClientRect())).length,
  };
}"""


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_all_is_drawn_and_nothing_overlaps_or_leaves_the_screen(browser, address, size):
    with opened(browser, address, size) as tab:
        found = tab.evaluate(LAYOUT)
    assert found.pop("shown") > 300
    assert found.pop("smallest") >= 12
    assert found == {"sideways": 0, "over": [], "out": [], "regions": 0, "pictures": [900] * 3}


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_row_headings_stay_beside_the_columns_scrolled_to(browser, address, size):
    with opened(browser, address, size) as tab:
        region = tab.get_by_role("region", name="All n").first
        assert region.get_attribute("tabindex") == "0"
        region.evaluate("e => { e.scrollLeft = 1e6 }")
        model, last = (
            region.locator("tbody tr").first.locator("th, td").nth(1),
            region.locator("td").nth(13),
        )
        frame, name, cell = (each.bounding_box() for each in (region, model, last))
        assert frame["x"] <= name["x"] < name["x"] + name["width"] <= cell["x"]
        assert cell["x"] + cell["width"] == pytest.approx(frame["x"] + frame["width"], abs=1)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "scheme"), [*product(SIZES, ["light", "dark"])], ids=str)
def test_axe_finds_nothing(browser, address, size, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install 'fewshot-audio[browser]'"
    ).Axe()
    with opened(browser, address, size, color_scheme=scheme) as tab:
        tab.locator("thead button").first.click()
        found = axe.run(tab)
        assert found.violations_count == 0, found.generate_report()
        assert tab.evaluate("getComputedStyle(document.body).colorScheme") == scheme


@pytest.mark.slow
def test_commands_are_copied_or_else_selected(browser, address):
    wanted = study().commands[0][1]
    with opened(browser, address, permissions=["clipboard-read", "clipboard-write"]) as tab:
        tab.locator(".command button").first.click()
        tab.get_by_text("copied").wait_for()
        assert tab.evaluate("navigator.clipboard.readText()") == wanted
    without = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
    with opened(browser, address, init=without) as tab:
        tab.locator(".command button").first.click()
        tab.get_by_text("selected").wait_for()
        assert tab.evaluate("getSelection().toString()") == wanted


@pytest.mark.slow
def test_on_paper_there_is_nothing_to_press_and_nothing_is_cut_off(browser, address):
    with opened(
        browser, address, (1016, 900)
    ) as tab:  # A4 across, less its margins, at 96 dots per inch
        tab.emulate_media(media="print")
        assert not [
            each for each in tab.locator("nav, .skip, .command button").all() if each.is_visible()
        ]
        assert set(
            tab.locator("thead button").evaluate_all(
                "all => all.map(e => getComputedStyle(e).display)"
            )
        ) == {"contents"}
        assert tab.locator("thead th").first.inner_text() == "model"
        assert set(
            tab.locator(".scroll").evaluate_all(
                "all => all.map(e => getComputedStyle(e).overflowX)"
            )
        ) == {"visible"}
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        pages = re.findall(
            rb"/MediaBox \[0 0 (\d+)[\d.]* (\d+)", tab.pdf(format="A4", prefer_css_page_size=True)
        )
        assert [int(width) > int(height) for width, height in pages].count(
            True
        ) == 3  # one wide table in each study


@pytest.mark.slow
def test_without_scripts_the_tables_are_plain(browser, address):
    with opened(browser, address, java_script_enabled=False) as tab:
        assert tab.locator("tbody tr").count() == 3 * (4 + 4)
        assert all(table.is_visible() for table in tab.locator("table").all())
        assert tab.locator("button").count() == 0
