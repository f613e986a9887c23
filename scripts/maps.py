"""The command maps: see `python scripts/maps.py --help`."""

from fewshot_audio.commands.maps import command

if __name__ == "__main__":
    command()
