"""Let pages link to files of the repository outside docs/, by the paths that they have on GitHub.

Such a file lies in the site where it lies in the repository, as if docs/ were the repository's
root. So a link to it loses one "../".
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

PAGES = ("LOG.md", "CHANGELOG.md")


def leaving(source: str) -> re.Pattern[str]:
    """Return what matches links of a page that leave docs/: the brackets, the path from the root.

    Args:
        source: Path of the page in docs/.
    """
    up = "../" * (source.count("/") + 1)
    return re.compile(rf"(\]\(){re.escape(up)}([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that pages link to."""
    root = Path(config.config_file_path).parent
    linked = set(PAGES)
    for page in files.documentation_pages():
        linked |= {path for _, path in leaving(page.src_uri).findall(page.content_string)}
    for path in sorted(linked):
        source = str(root / path)
        level = InclusionLevel.INCLUDED if path in PAGES else InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, path, abs_src_path=source, inclusion=level))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave docs/ to where the site has the files."""
    up = "../" * page.file.src_uri.count("/")
    return leaving(page.file.src_uri).sub(rf"\g<1>{up}\2", markdown)
