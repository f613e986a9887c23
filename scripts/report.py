"""The command report: see `python scripts/report.py --help`."""

from fewshot_audio.commands.report import command

if __name__ == "__main__":
    command()
