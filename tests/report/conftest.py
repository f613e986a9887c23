"""Fixtures of reports."""

from report_command import report  # noqa: F401
