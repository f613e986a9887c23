"""Tables, figures and a page from the records of runs."""

from fewshot_audio.report.records import load

__all__ = ["load"]
