"""The command predict: see `python scripts/predict.py --help`."""

from fewshot_audio.commands.predict import command

if __name__ == "__main__":
    command()
