"""The command verify: see `python scripts/verify.py --help`."""

from fewshot_audio.commands.verify import command

if __name__ == "__main__":
    command()
