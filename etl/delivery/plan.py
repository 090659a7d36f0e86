"""Plans of interventions, as the form in the dashboard writes them: TOML."""

import polars as pl

from etl.delivery.headers import recognised
from etl.delivery.opened import Delivery
from etl.file import DeliveredFile, shown
from etl.finding import Refused
from etl.source import recognise
from etl.words import together, told
from kpis.intervention import KEYS, PlanProblem, read_plan, to_row


def open_plan(file: DeliveredFile) -> Delivery:
    """The plan of one intervention, as the form in the dashboard writes it: a table of one row."""
    try:
        row = to_row(read_plan(file.read().decode("utf-8")))
    except UnicodeDecodeError as error:
        raise Refused("D6-encoding.unknown") from error
    except PlanProblem as error:
        faults = [
            told(f"I1-plan.{fault.problem}", key=KEYS.get(fault.field, fault.field), found=shown(fault.found))
            for fault in error.faults
        ]
        raise Refused("I1-plan", faults=together(faults, "; ")) from error
    frame = pl.DataFrame([row]).with_columns(pl.lit(1, dtype=pl.Int64).alias("row"))
    return Delivery(file, file.sha256(), recognised(recognise(list(row), file.names)), lambda _: iter([frame]))
