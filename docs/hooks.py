"""Let pages of the documentation show figures that lie in results/."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

FIGURES = {
    "figures/accuracy_two_folds.png": "results/us8k_two_folds/figures/accuracy_us8k.png",
    "figures/controls.png": "results/us8k_controls/figures/forest_us8k.png",
    "figures/frontends.png": "results/us8k_two_folds_frontends/figures/forest_us8k.png",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the figures under the names that pages use."""
    root = Path(config.config_file_path).parent
    for name, source in FIGURES.items():
        files.append(File.generated(config, name, abs_src_path=str(root / source)))
    return files
