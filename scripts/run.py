"""The command run: see `python scripts/run.py --help`."""

from fewshot_audio.commands.run import command

if __name__ == "__main__":
    command()
