"""The page, opened in a real browser."""

import re
import shutil
from contextlib import contextmanager
from itertools import product

import pytest
from page_studies import QUESTION, STUDIES, study

from fewshot_audio.report.page import page

pytestmark = pytest.mark.slow
SIZES = [(380, 800), (1400, 900)]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install 'fewshot-audio[browser]'"
    )
    programs = [*filter(None, map(shutil.which, BROWSERS))]
    if not programs:
        pytest.skip(f"none of {BROWSERS} is there: apt install chromium")
    launch = {"executable_path": programs[0], "args": ["--no-sandbox"]}
    with api.sync_playwright() as playwright, playwright.chromium.launch(**launch) as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page(QUESTION, STUDIES), encoding="utf-8")
    return path.as_uri()


@contextmanager
def opened(browser, address, size=SIZES[1], init="", **options):
    """The page in a context of its own; at the end, no error and no request but the file's."""
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
    assert [url for url in requests if not url.startswith("data:")] == [address.split("#")[0]]
    context.close()


@pytest.mark.parametrize(
    ("column", "upward", "downward"),
    [
        ("model", "prototypical SB-CNN TIMBRE VGG", "VGG TIMBRE SB-CNN prototypical"),
        ("accuracy", "TIMBRE SB-CNN prototypical VGG", "prototypical SB-CNN TIMBRE VGG"),
        ("difference", "TIMBRE VGG SB-CNN prototypical", "SB-CNN VGG TIMBRE prototypical"),
        ("verdict", "TIMBRE SB-CNN VGG prototypical", "VGG SB-CNN TIMBRE prototypical"),
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
        sides = cells.evaluate_all("all => all.map(e => getComputedStyle(e).textAlign)")
        assert sides == ["left", "right", "right", "left"]


def test_grouped_columns_sort_by_their_last_headings(browser, address):
    with opened(browser, address) as tab:
        table = tab.locator("#us8k_two_folds-table-all-cells")
        assert table.get_by_role("button").count() == 16
        table.get_by_role("button", name="log-EPS").nth(3).dblclick()
        rows = table.locator("tbody tr")
        texts = [row.locator("td").nth(6).inner_text() for row in rows.all()]
        assert [text[:2] for text in texts] == ["46", "36", "26", "16"]
        table.get_by_role("button", name="model").click()
        models = rows.locator("th:nth-child(2)").all_inner_texts()
        assert models == ["prototypical original"] * 2 + ["SB-CNN"] * 2


LAYOUT = """() => {
  const blocks = "h1, h2, h3, p, li:not(:has(li)), dt, dd, figcaption, th, td, pre, "
    + ".command button";
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
    over: shown.flatMap((a, k) =>
      shown.slice(k + 1).filter(b => meet(a, b)).map(b => [a.text, b.text])),
    out: shown.filter(({e, box}) => !e.closest("table")
      && (leaves(box) || e.scrollWidth > e.clientWidth + 1)).map(e => e.text),
    type: Math.min(...[...document.querySelectorAll("svg text")]
      .map(e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)),
    regions: [...document.querySelectorAll(".scroll")]
      .filter(e => leaves(e.getBoundingClientRect())).length,
  };
}"""


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_all_is_drawn_and_nothing_overlaps_or_leaves_the_screen(browser, address, size):
    with opened(browser, address, size) as tab:
        tab.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
        layout = tab.evaluate(LAYOUT)
    assert layout.pop("shown") > 300
    assert layout.pop("smallest") >= 12
    assert layout.pop("type") >= 11
    assert layout == {"sideways": 0, "over": [], "out": [], "regions": 0}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_row_headings_stay_beside_the_columns_scrolled_to(browser, address, size):
    with opened(browser, address, size) as tab:
        region = tab.get_by_role("region", name="All n").first
        assert region.get_attribute("tabindex") == "0"
        region.evaluate("e => { e.scrollLeft = 1e6 }")
        row = region.locator("tbody tr").first
        model, last = row.locator("th").nth(1), row.locator("td").nth(13)
        frame, name, cell = (each.bounding_box() for each in (region, model, last))
        assert frame["x"] <= name["x"] < name["x"] + name["width"] <= cell["x"]
        assert cell["x"] + cell["width"] == pytest.approx(frame["x"] + frame["width"], abs=1)


@pytest.mark.parametrize(("size", "scheme"), [*product(SIZES, ["light", "dark"])], ids=str)
def test_axe_finds_nothing(browser, address, size, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install 'fewshot-audio[browser]'"
    ).Axe()
    with opened(browser, address, size, color_scheme=scheme) as tab:
        tab.locator("thead button").first.click()
        checked = axe.run(tab)
        assert checked.violations_count == 0, checked.generate_report()
        assert tab.evaluate("getComputedStyle(document.body).colorScheme") == scheme


def test_commands_are_copied_or_else_selected(browser, address):
    command = study().runs[0].command
    with opened(browser, address, permissions=["clipboard-read", "clipboard-write"]) as tab:
        tab.locator("details:has(.command)").first.evaluate("e => { e.open = true }")
        tab.locator(".command button").first.click()
        tab.get_by_text("copied").wait_for()
        assert tab.evaluate("navigator.clipboard.readText()") == command
    without = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
    with opened(browser, address, init=without) as tab:
        tab.locator("details:has(.command)").first.evaluate("e => { e.open = true }")
        tab.locator(".command button").first.click()
        tab.get_by_text("selected").wait_for()
        assert tab.evaluate("getSelection().toString()") == command


def test_a_number_tells_its_runs_and_their_command(browser, address):
    with opened(browser, address) as tab:
        table = tab.locator("#us8k_two_folds-table-all-cells")
        cell = table.locator("tbody tr").nth(0).locator("td").nth(5)  # n = 5, log_learn, sb_cnn
        cell.click()
        below = table.locator(".of-cell")
        assert below.locator("p").all_inner_texts() == [
            "UrbanSound8K, SB-CNN, log-learn, n = 5: 1 run"
        ]
        assert below.locator("code").inner_text() == study().runs[1].command.replace("1,5]", "5]")
        table.get_by_role("button", name="model").click()  # sorting leaves rows alone
        assert table.locator("tbody tr").count() == 4
        cell.click()
        cell.click()
        assert below.count() == 0


def test_an_address_opens_the_detail_that_it_names(browser, address):
    with opened(browser, f"{address}#us8k_leaf-table-more") as tab:
        assert tab.locator("#us8k_leaf-table-more table").is_visible()
        assert not tab.locator("#us8k_controls-table-more table").is_visible()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_labels_leave_room_for_numbers(browser, address, size):
    with opened(browser, address, size) as tab:
        region = tab.get_by_role("region", name="All n").first
        pinned = region.locator("tbody tr").first.locator(".pinned").all()
        width = sum(each.bounding_box()["width"] for each in pinned)
        assert width <= 0.35 * region.bounding_box()["width"]
        assert pinned


def test_clips_can_be_listened_to(browser, address):
    with opened(browser, address) as tab:
        tab.locator("details:has(audio)").first.evaluate("e => { e.open = true }")
        player = tab.locator("audio").first
        seconds = player.evaluate("e => e.play().then(() => e.duration)")  # rejects what it cannot
        assert seconds == pytest.approx(1, abs=0.1)
        assert player.get_attribute("aria-label") == study().sounds[0].name


def test_paper_shows_no_buttons_and_cuts_nothing_off(browser, address):
    across = 1016, 900  # A4, less its margins, at 96 dots per inch
    with opened(browser, address, across) as tab:
        tab.emulate_media(media="print")
        pressed = tab.locator("nav, .skip, audio, .command button").all()
        assert not any(each.is_visible() for each in pressed)
        display = "all => all.map(e => getComputedStyle(e).display)"
        assert set(tab.locator("thead button").evaluate_all(display)) == {"contents"}
        assert tab.locator("thead th").first.inner_text() == "model"
        overflow = "all => all.map(e => getComputedStyle(e).overflowX)"
        assert set(tab.locator(".scroll").evaluate_all(overflow)) == {"visible"}
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        printed = tab.pdf(format="A4", prefer_css_page_size=True)
        pages = re.findall(rb"/MediaBox \[0 0 (\d+)[\d.]* (\d+)", printed)
        lying = [int(width) > int(height) for width, height in pages]
        assert lying.count(True) == 3  # one wide table in each study


def test_without_scripts_the_tables_are_plain(browser, address):
    with opened(browser, address, java_script_enabled=False) as tab:
        assert tab.locator("tbody tr").count() == 3 * (4 + 4 + 4)
        tables = tab.locator(".table > .scroll table").all()  # those that are not folded
        assert [table.is_visible() for table in tables] == [True] * 6
        assert tab.locator("button").count() == 0
