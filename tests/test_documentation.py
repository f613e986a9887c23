"""What README, docs/ and examples/ say is so: links, numbers, commands."""

import json
import re
import shlex
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from fewshot_audio import compose, config, frontends
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.models.cnn14 import CNN14
from fewshot_audio.models.conv_net import ConvNet
from fewshot_audio.models.sb_cnn import SBCNN
from fewshot_audio.models.timbre import Timbre
from fewshot_audio.models.vgg import VGG
from fewshot_audio.sweep import swept
from fewshot_audio.training.waveform_network import build_waveform_network
from fewshot_audio.types import ConfigError

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
PACKAGE = ROOT / "examples/my_package"
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(
    r"python scripts/(?:run|status|prepare|splits|report|maps)\.py(?: -m)? (?!-|\S+/checkpoints/)(.+)"
)


def commands(page: Path) -> list[str]:
    """Return the settings of every command in the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).splitlines()
    return [match[1] for line in lines if (match := COMMAND.fullmatch(line.strip()))]


COMMANDS = sorted({each for page in PAGES if page.name != "LOG.md" for each in commands(page)})


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_command_can_be_composed(command, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(PACKAGE)])
    words = shlex.split(command.replace("…", ""), comments=True)
    overrides = [f"{word}/data" if word.endswith("=") else word for word in words]
    overrides = [each for each in overrides if not re.match(r"\+?hydra[./]launcher", each)]
    assert next(iter(swept(overrides)))


def test_every_group_of_settings_has_a_line():
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    groups = {file.parent.name for file in compose.CONF.glob("*/*.yaml")}
    assert groups == set(re.findall(r"^\| `\+?(\w+)=", page, re.MULTILINE))


def fenced(page: Path) -> list[tuple[str, str]]:
    """Return what stands behind the fence, and the text, of every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


NAMED = [
    pytest.param(title[1], code, id=f"{page.name}-{title[1]}")
    for page in PAGES
    for info, code in fenced(page)
    if (title := re.search(r'title="(.+)"', info))
]
WITH_CODE = [page for page in PAGES if any(info == "python" for info, _ in fenced(page))]


@pytest.mark.parametrize(("title", "code"), NAMED)
def test_code_that_names_a_file_is_that_of_the_file(title, code):
    file = next(base / title for base in (PACKAGE, ROOT) if (base / title).exists())
    assert code in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code_runs(page, monkeypatch):
    """All blocks of a page, one after the other; a comment "# (8, 40, 101)..." is the shape."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path, str(PACKAGE)])
    names: dict = {}
    for info, code in fenced(page):
        if info == "python":
            exec(code, names)
            for name, shape in re.findall(r"^(\w+) = .*# (\([\d, ]+\))", code, re.MULTILINE):
                assert str(tuple(names[name].shape)) == shape, name


@pytest.mark.slow
def test_the_notebook_runs(monkeypatch):
    monkeypatch.chdir(ROOT / "examples")
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict = {}
    for cell in json.loads(Path("results.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    frontends = {"log_eps", "log_learn"}
    assert frontends <= set(names["runs"]["frontend"])
    assert names["points"].abs().max() <= 100


def test_lines_of_an_extension_are_those_of_the_example():
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| (.+) \| (.+) \| `\+?(\w+)=(\w+)` \|$", page, re.MULTILINE)
    modules = {"frontend": "frontends.py", "model": "models.py", "dataset": "datasets.py"}
    assert len(rows) == 7
    for python, yaml, group, name in rows:
        file = PACKAGE / f"my_package/conf/{group}/{name}.yaml"
        assert yaml == (f"{lines(file)} lines" if file.exists() else "none")
        module = PACKAGE / "my_package" / modules.get(group, "")
        own = file.exists() and group in modules
        assert python == (f"1 file, {lines(module)} lines" if own else "none")


def test_layers_learn_as_many_numbers_as_their_table_says():
    page = (ROOT / "docs/layers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)
    assert len(rows) == 9
    for name, count in rows:
        assert learned(getattr(frontends, name)()) == int(count), name


@pytest.mark.slow
def test_models_need_what_their_table_says():
    page = (ROOT / "docs/own-data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| ([\d,]+) \|$", page, re.MULTILINE)
    models = {"sb_cnn": SBCNN, "vgg": VGG, "timbre": Timbre, "conv_net": ConvNet, "cnn14": CNN14}
    models |= {"proto": partial(VGG, width=128)}
    assert {name for name, *_ in rows} == set(models)
    for name, n_frames, n_bands, parameters in rows:
        assert parameters == f"{learned(models[name](10, n_bands=128, n_frames=128)):,}"
        frames, bands = int(n_frames), int(n_bands)
        model = models[name](3, n_bands=bands, n_frames=frames)
        assert model(torch.rand(2, frames, bands)).shape == (2, 3)
        for smaller in ((frames - 1, bands), (frames, bands - 1)):
            with pytest.raises(ConfigError, match="needs patches of at least"):
                models[name](3, n_frames=smaller[0], n_bands=smaller[1])


@pytest.mark.slow
def test_shares_of_frontends_are_those_of_the_study():
    page = (ROOT / "docs/leaf-article.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    words = ["+study=leaf_article", "dataset=synthetic", "frontend=log_mel"]
    jobs = [config.job(cfg) for cfg in swept(["+study=leaf_article", "dataset=synthetic"])]
    frontends_of = {job.frontend.name: build(job.frontend, Frontend) for job in jobs}
    sizes = [learned(build_waveform_network(config.job(cfg), "0123456789")) for cfg in swept(words)]
    assert {name for name, *_ in rows} == set(frontends_of)
    for name, count, *shares in rows:
        own = learned(frontends_of[name])
        assert count == f"{own:,}"
        assert shares == [f"{100 * own / (own + size):.3g}" for size in sizes]
    assert all(f"({size:,})" in page for size in sizes)


def learned(module: torch.nn.Module) -> int:
    """Return how many numbers of a module learn."""
    return sum(each.numel() for each in module.parameters() if each.requires_grad)


def lines(file: Path) -> int:
    """Return the number of lines of a file."""
    return len(file.read_text(encoding="utf-8").splitlines())


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_log_has_an_index():
    text = (ROOT / "LOG.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d-]+) \| \[(.+)\]\(#(.+)\) \|", text, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [f"{date}: {topic}".lower() for date, topic, _ in rows] == [h.lower() for h in headings]
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert [anchor for *_, anchor in rows] == anchors


def test_pages_are_readable_as_files():
    """Nothing in them that only the site shows but API pages' directives, which have links."""
    for page in (ROOT / "docs").rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"--8<--|^!!!|\]\[[a-z_]+\.[\w.]+\]", text, re.MULTILINE), page.name
        for name in re.findall(r"^::: (\S+)", text, re.MULTILINE):
            parts = name.split(".")
            paths = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
            sources = [f"src/{path}{end}" for path in paths for end in (".py", "/__init__.py")]
            source = next(each for each in sources if (ROOT / each).is_file())
            assert f"](../../{source})" in text, f"{page.name}: {name}"


def test_every_dataset_is_on_their_page():
    page = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", page, re.MULTILINE)
    assert sorted(named) == sorted(file.stem for file in (ROOT / "conf/dataset").glob("*.yaml"))


def test_readme_is_short():
    assert len(README.split()) <= 900
    assert max(map(len, README.splitlines())) <= 100
