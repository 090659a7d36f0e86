"""Psychiatric hospitals beside the somatic ones: drawn and reported by the same rules, from their own random numbers.

Nothing of the somatic country changes with it: a psychiatric stay that would touch another stay of the person does not
take place, because two contacts within four hours are one stay (rule S1).
"""

import zlib

import numpy as np
import polars as pl

from etl.synthetic.contacts import build_register, cut_into_contacts
from etl.synthetic.country import Country
from etl.synthetic.hospital import Span, draw_stays, without_overlaps
from etl.synthetic.model import Model
from etl.synthetic.reporting import ContactFiles, report

APART = 5 * 60  # minutes between a psychiatric stay and another one, more than the four hours that would join them
_PERSON = 2**40  # minutes: persons lie so far apart that one ordering of all stays is one per person


def write_psychiatry(files: ContactFiles, people: pl.DataFrame, somatic: pl.DataFrame, model: Model, seed: int) -> None:
    """Write the psychiatric contacts of a region; `somatic`: all other stays of its people; `model`: of psychiatry."""
    country, region, span = files.country, files.region, files.span
    own_seed = seed ^ zlib.crc32(b"psychiatry")
    stays = psychiatric_stays(people, somatic, country, model, region, span, own_seed)
    contacts = cut_into_contacts(stays, people, model, files.register, region, own_seed)
    files.write(report(contacts, model, files.register, region, span, own_seed), people)


def psychiatric_files(files: ContactFiles, model: Model) -> ContactFiles:
    """Where the psychiatric contacts of a region go whose somatic ones go to `files`."""
    register = build_register(files.country, model)
    return ContactFiles(files.folder, files.country, register, files.region, files.span, is_psychiatry=True)


def psychiatric_stays(
    people: pl.DataFrame, somatic: pl.DataFrame, country: Country, model: Model, region: str, span: Span, seed: int
) -> pl.DataFrame:
    """Psychiatric stays that touch no other stay of the person, columns as of `hospital.draw_stays`."""
    stays = without_overlaps(draw_stays(people, country, model, region, span, seed), model)
    others = somatic.sort("person", "start")
    begins, ends = (
        others["person"].cast(pl.Int64).to_numpy() * _PERSON + others[name].to_numpy() for name in ("start", "end")
    )
    person = stays["person"].cast(pl.Int64).to_numpy() * _PERSON
    # Of the others that begin before a stay is over, the one that lasts longest: does it reach the stay?
    last = np.searchsorted(begins, person + stays["end"].to_numpy() + APART) - 1
    reach = np.concatenate([np.maximum.accumulate(ends), [-1]])[last]
    return stays.filter(pl.Series(reach < person + stays["start"].to_numpy() - APART))
