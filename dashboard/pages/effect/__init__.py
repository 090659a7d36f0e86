"""Effekt: interventions, their locked plans, and what came of them."""
