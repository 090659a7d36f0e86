"""The meaning of the figures: what a release holds, what an indicator is, how counts become estimates.

Read in this order: `release` (the counts), `area`, `period` and `indicator` (the questions one can ask),
`evaluate` (the answers), `export` (the same answers as files). What the answers mean: `assess` (verdicts), `progress`
(goals), `potential`, `concentration` (where a difference lies), `reconciliation` (beside official figures). The
statistics they rest on stand alone, without a release: `rates`, `compare`, `process`, `trend`, `small_area`, `goal`,
`effect`, `inequality`, `verdict`. Neither `etl` nor `dashboard` is imported
here.
"""
