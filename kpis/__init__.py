"""The meaning of the figures: what a release holds, what an indicator is, how counts become estimates.

Read in this order: `release` (the counts), `area`, `period` and `indicator` (the questions one can ask), `query` and
`evaluate` (the answers), `export` (the same answers as files). What widens an interval beyond independent chance:
`clustering` (one citizen counts several times) and `rounding` (published counts are rounded). What the answers mean:
`assess` (verdicts), `progress` (goals), `potential`, `concentration` (where a difference lies), `reconciliation`
(beside official figures), `page` (all of it for one indicator). The statistics they rest on stand alone, without a
release: `rates`, `compare`, `dispersion`, `process`, `trend`, `small_area`, `gain`, `goal`, `effect`, `inequality`,
`verdict`; how far they keep their promises is simulated in docs/calibration.md. Neither `etl` nor `dashboard` is
imported here.
"""
