"""The command prepare: see `python scripts/prepare.py --help`."""

from fewshot_audio.commands.prepare import command

if __name__ == "__main__":
    command()
