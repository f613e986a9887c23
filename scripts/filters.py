"""The command filters: see `python scripts/filters.py --help`."""

from fewshot_audio.commands.filters import command

if __name__ == "__main__":
    command()
