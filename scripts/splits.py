"""The command splits: see `python scripts/splits.py --help`."""

from fewshot_audio.commands.splits import command

if __name__ == "__main__":
    command()
