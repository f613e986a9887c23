"""Frontends: from mel spectrograms or waveforms to the spectrograms that a classifier takes.

Nothing here needs more than torch and numpy, and nothing of the rest of this project.
"""
