"""The command status: see `python scripts/status.py --help`."""

from fewshot_audio.commands.status import command

if __name__ == "__main__":
    command()
