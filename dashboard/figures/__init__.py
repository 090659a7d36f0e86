"""Figures: pure functions of estimates and words. They never see a release and never compute a statistic.

Small drawings that stand in tables are inline SVG, coloured by the style sheet (`strip`, `sparkline`); large ones
that are read off in detail are Plotly figures as plain dicts (`caterpillar`), which cost nothing to make and are
checked as ``go.Figure`` in the tests.
"""
