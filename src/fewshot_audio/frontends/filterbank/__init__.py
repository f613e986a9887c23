"""Filterbanks on the waveform: LEAF and its relatives, put together from parts."""
