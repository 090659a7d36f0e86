"""The meaning of the figures: what a release holds, what an indicator is, how counts become estimates.

Read in this order: `release` (the counts), `area`, `period` and `indicator` (the questions one can ask),
`evaluate` (the answers), `export` (the same answers as files). Neither `etl` nor `dashboard` is imported
here.
"""
