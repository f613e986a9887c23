"""Engines compute the energies of filters in frames; they differ in speed and rounding."""
