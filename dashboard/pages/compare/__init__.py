"""Sammenlign: one indicator of many areas among each other."""
