"""Interventions: the plans that are kept, their reports, forms and files."""
