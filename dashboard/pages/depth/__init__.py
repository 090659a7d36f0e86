"""Dybde: one indicator of one area: its months, where a difference lies, what was to be expected, who pays for it."""
