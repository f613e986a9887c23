"""fewshot-audio NAME ...: every command; without a name, the version and what is installed."""

import importlib
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

COMMANDS = ("run", "predict", "status", "report", "prepare", "verify", "splits", "maps", "filters")
PACKAGES = ("torch", "numpy", "torchaudio", "pytorch-lightning", "hydra-core", "pandas")
USAGE = f"""fewshot-audio NAME ...   the commands, each with --help: {", ".join(COMMANDS)}
They need `pip install 'fewshot-audio[runner]'`; the layers of fewshot_audio.frontends do not."""


def main() -> None:
    """Do the command that the first word names."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "--version"):
        print(f"fewshot-audio {version('fewshot-audio')}, Python {platform.python_version()}")
        print(", ".join(f"{name} {_version(name)}" for name in PACKAGES))
        print(USAGE)
        return
    if words[0] not in COMMANDS:
        sys.exit(f"error: {words[0]}: no such command; there are {', '.join(COMMANDS)}")
    sys.argv = [f"fewshot-audio {words[0]}", *words[1:]]
    try:
        command = importlib.import_module(f"fewshot_audio.commands.{words[0]}").command
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; pip install 'fewshot-audio[runner]'")
    command()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
