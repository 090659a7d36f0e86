"""Overblik: one area at a glance: its headlines, what stands out besides, what is new, and all of it as numbers."""
