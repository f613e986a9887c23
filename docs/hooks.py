"""Let pages link to files of the repository by the paths that they have on GitHub.

In the site, docs/ is the root, and a file from elsewhere lies where it lies in the repository. The
page of settings gets the files of conf/.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from textwrap import indent

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

LINK = re.compile(r"(?<=\]\()(?!\w+:)[^)#\s]+")
IN_NAVIGATION = ("LOG.md", "CHANGELOG.md")


def in_repository(page: File) -> str:
    """Return the path of a page in the repository."""
    return page.src_uri if page.generated_by else f"docs/{page.src_uri}"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that pages link to."""
    linked = set(IN_NAVIGATION)
    for page in files.documentation_pages():
        folder = dirname(in_repository(page))
        linked |= {normpath(join(folder, link)) for link in LINK.findall(page.content_string)}
    levels = (InclusionLevel.NOT_IN_NAV, InclusionLevel.INCLUDED)
    for path in sorted(linked):
        if not path.startswith("docs/"):
            source = str(Path(config.config_file_path).parent / path)
            level = levels[path in IN_NAVIGATION]
            files.append(File.generated(config, path, abs_src_path=source, inclusion=level))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to where the site has the files."""
    folder, here = dirname(in_repository(page.file)), dirname(page.file.src_uri)
    conf = Path(config.config_file_path).parent / "conf"

    def turned(link: re.Match[str]) -> str:
        target = normpath(join(folder, link[0])).removeprefix("docs/")
        return relpath(target, here or ".")

    return (
        LINK.sub(turned, markdown)
        .replace("<!-- config.yaml -->", code(conf / "config.yaml"))
        .replace("<!-- choices -->", "\n\n".join(choices(conf)))
    )


def choices(conf: Path) -> Iterator[str]:
    """Yield each group of settings as a heading, and each of its choices folded."""
    for folder in sorted({file.parent for file in conf.rglob("*/*.yaml")}):
        group = folder.relative_to(conf).as_posix()
        if group == "hydra/help":  # what --help prints
            continue
        yield f"### {group}"
        for file in sorted(folder.glob("*.yaml")):
            yield f'??? note "{file.stem}: {first_sentence(file)}"\n' + indent(code(file), "    ")


def first_sentence(file: Path) -> str:
    """Return how the comment at the top of a file of settings begins."""
    lines = re.findall(r"^# (?! |@)(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return re.split(r"\.(?= |$)", " ".join(lines))[0].replace('"', "'")


def code(file: Path) -> str:
    """Return a file of settings as a block."""
    return f"```yaml\n{file.read_text(encoding='utf-8').rstrip()}\n```"
