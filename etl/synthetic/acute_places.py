"""Municipal acute places: units, who stays there, and the daily report of capacity.

A place is a chain of stays with empty time between them, so that occupancy has a mean and rarely passes 100 %;
a few further stays come on top, as in reality. Minutes are counted from 2000-01-01 00:00.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from etl.synthetic.country import Country
from etl.synthetic.hospital import Span, ages_at, at_hours
from etl.synthetic.model import Lengths, Model
from etl.synthetic.people import DAY, NEVER, minute_of
from etl.synthetic.plans import Intervention
from etl.synthetic.rng import lognormal_one, stream

NIGHT = 23 * 60
"""Minute of the day at which persons present are counted."""
DAYTIME: list[float] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 7, 8, 8, 9, 9, 8, 6, 4, 3, 2, 1, 0, 0, 0]
"""When citizens come and go: weights of the hours of the day."""

TYPES: dict[str, list[str | None]] = {
    "acute": ["Akutplads", "akutplads", "AKUTPLADS", "Akut plads", "Akutpladser"],
    "temporary": ["Midlertidig plads", "midlertidig plads", "Aflastningsplads", "Midl. plads"],
}
LAWS: dict[str, list[str | None]] = {
    "acute": ["Sundhedsloven § 138", "SUL § 138", "SUL §138"],
    "temporary": ["Serviceloven § 84", "SEL § 84"],
}
REFERRERS: dict[str, list[str | None]] = {
    "hospital": ["Sygehus", "Hospital", "sygehus", "Akutmodtagelsen", "FAM"],
    "gp": ["Egen læge", "egen læge", "Praktiserende læge", "Lægevagt", "Vagtlæge"],
    "home": ["Hjemmesygeplejen", "hjemmesygepleje", "Akutteam", "Visitator", "Eget hjem"],
    "unknown": [None, "Andet"],
}
RENAMED = 0.08
"""Share of units that are renamed during the period."""
REFERRED_BY = {"gp": 0.46, "home": 0.48, "unknown": 0.06}  # of those who do not come from hospital
DESTINATIONS: dict[str, list[str | None]] = {
    "home": ["Eget hjem", "eget hjem", "Hjem"],
    "care": ["Plejebolig", "Plejehjem", "Midlertidig plads"],
    "hospital": ["Sygehus", "Hospital", "Indlagt"],
    "dead": ["Død"],
    "open": [None],
}


@dataclass(frozen=True)
class Units:
    """All units of the country, as arrays of one value per unit.

    Attributes:
        names: id, name and later name of each unit, its type ("acute" or "temporary") and its spelling of that type.
        municipality: number of its municipality.
        places: normed places; 0 in municipalities that report having none.
        opened: minute from which the places exist; 0 where they always did.
        renamed: minute from which the later name is used; NEVER where it keeps its name.
    """

    names: pl.DataFrame
    municipality: np.ndarray
    places: np.ndarray
    opened: np.ndarray
    renamed: np.ndarray

    def numbers_in(self, country: Country, region: str) -> np.ndarray:
        """Numbers of the units of a region."""
        return np.flatnonzero(np.isin(self.municipality, country.numbers_in(region)))


@dataclass(frozen=True)
class PlaceStays:
    """Stays in a region's units, as arrays of one value per stay; `end` may lie after the period."""

    unit: np.ndarray
    person: np.ndarray
    start: np.ndarray
    end: np.ndarray
    from_hospital: np.ndarray
    to_hospital: np.ndarray


def open_units(
    country: Country, model: Model, interventions: list[Intervention], span: Span, scale: float, seed: int
) -> Units:
    """The units of the country. Municipalities without acute places have one unit with no places.

    There is at least one place where there are any. So at a small `scale` the country has too many places for its
    persons: nobody can lie in half a place.
    """
    plan, rng = model.acute_places, stream(seed, "units")
    opens = {
        int(number): minute_of(entry.start)
        for entry in interventions
        if entry.plan.opens_acute_places
        for number in entry.municipalities
    }
    acute = _acute_places(country, model, list(opens), scale, rng)
    temporary = rng.choice(np.flatnonzero(acute), plan.temporary_units, replace=False)
    low, high = plan.temporary_places
    parts = np.maximum(1, -(-acute // plan.places_per_unit))
    rows = [
        (number, "acute", part + 1, int(places) // int(parts[number]) + (part < places % parts[number]))
        for number, places in enumerate(acute)
        for part in range(parts[number])
    ]
    rows += [(int(number), "temporary", 1, max(1, round(rng.integers(low, high) * scale))) for number in temporary]
    codes, names = (country.municipalities[column].to_list() for column in ("municipality_code", "name"))
    titles = {"acute": ["Akutpladserne", "Akutafsnit", "Døgnpladserne"], "temporary": ["Aflastningen"]}
    later_titles = {"acute": "Sundhedshusets akutpladser", "temporary": "Midlertidige pladser"}
    is_renamed = rng.random(len(rows)) < RENAMED
    return Units(
        names=pl.DataFrame(
            {
                "id": f"{codes[number]}-{kind[0].upper()}{part}",
                "name": f"{rng.choice(titles[kind])} {part}, {names[number]}",
                "later_name": f"{later_titles[kind]} {part}, {names[number]}",
                "kind": kind,
                "spelling": TYPES[kind][rng.integers(len(TYPES[kind]))],
            }
            for number, kind, part, _ in rows
        ),
        municipality=np.array([number for number, *_ in rows]),
        places=np.array([places for *_, places in rows]),
        opened=np.array([opens.get(number, 0) if kind == "acute" else 0 for number, kind, *_ in rows]),
        renamed=np.where(is_renamed, rng.integers(span.start, span.end, len(rows)), NEVER),
    )


def _acute_places(
    country: Country, model: Model, must_have: list[int], scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Acute places of each municipality: in proportion to citizens 80+, times a lognormal factor; some have none."""
    plan = model.acute_places
    older = country.persons[:, :, 80:].sum(axis=(1, 2))
    may_lack = older**-1.5  # the smaller, the likelier
    may_lack[must_have] = 0
    without = rng.choice(len(older), plan.municipalities_without, replace=False, p=may_lack / may_lack.sum())
    wanted = older * lognormal_one(rng, plan.spread, len(older))
    wanted[without] = 0
    places = np.maximum(1, np.round(plan.places * scale * wanted / wanted.sum()))
    return np.where(wanted > 0, places, 0).astype(int)


def draw_place_stays(
    units: Units,
    people: pl.DataFrame,
    admissions: pl.DataFrame,
    country: Country,
    model: Model,
    region: str,
    span: Span,
    seed: int,
) -> PlaceStays:
    """Who stayed in the units of a region, when. About a third come from an admission that ended just before."""
    plan, rng = model.acute_places, stream(seed, "places", region)
    numbers = units.numbers_in(country, region)
    is_acute = (units.names["kind"] == "acute").to_numpy()
    drawn = [
        _chains(numbers[is_acute[numbers]], units, plan.stay_days, model, span, rng),
        _chains(numbers[~is_acute[numbers]], units, plan.temporary_stay_days, model, span, rng),
    ]
    unit, start, end = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    start, end = at_hours(start // DAY, DAYTIME, rng), at_hours(end // DAY, DAYTIME, rng)
    exists = (end > span.start) & (start < span.end) & (start >= units.opened[unit]) & (end > start)
    unit, start, end = unit[exists], start[exists], end[exists]

    wants_hospital = rng.random(len(unit)) < plan.from_hospital
    person, left = _discharged(people, admissions, units.municipality[unit], start, wants_hospital)
    from_hospital = person >= 0
    length = end - start
    start = np.where(from_hospital, left + rng.integers(60, 240, len(unit)), start).astype(np.int32)
    end = (start + length).astype(np.int32)
    person = np.where(from_hospital, person, _neighbours(people, units.municipality[unit], start, rng))

    death = people["death"].to_numpy()[person]
    valid = (person >= 0) & (death > start) & (people["entry"].to_numpy()[person] < start) & (start < span.end)
    unit, person, start, end, from_hospital = (a[valid] for a in (unit, person, start, end, from_hospital))
    death = death[valid]
    # Nobody is in two places at once.
    order = np.lexsort((start, person))
    reach = np.maximum.accumulate(person[order].astype(np.int64) * 2**40 + end[order])
    is_free = person[order].astype(np.int64) * 2**40 + start[order] >= np.append(-1, reach[:-1])
    order = order[is_free]
    to_hospital = (rng.random(len(unit)) < plan.to_hospital) & (death > end) & (end < span.end)
    end = np.minimum(end, death)
    return PlaceStays(unit[order], person[order], start[order], end[order], from_hospital[order], to_hospital[order])


def admissions_after(
    stays: PlaceStays, people: pl.DataFrame, model: Model, span: Span, region: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Person and start of the acute admissions that follow from stays: at once, or some days later."""
    plan, rng = model.acute_places, stream(seed, "admitted from places", region)
    later = ~stays.to_hospital & (rng.random(len(stays.unit)) < plan.admitted_later)
    at_once = stays.end[stays.to_hospital] + rng.integers(30, 180, stays.to_hospital.sum())
    after_days = stays.end[later] + (rng.uniform(0.3, 29, later.sum()) * DAY).astype(np.int64)
    person = np.concatenate([stays.person[stays.to_hospital], stays.person[later]])
    start = np.concatenate([at_once, at_hours(after_days // DAY, model.kinds["acute"].hours, rng)]).astype(np.int32)
    after_end = np.concatenate([stays.end[stays.to_hospital], stays.end[later]])
    usable = (start < span.end) & (start > after_end) & (start < people["death"].to_numpy()[person])
    return person[usable], start[usable]


def stays_table(
    stays: PlaceStays, units: Units, people: pl.DataFrame, country: Country, region: str, span: Span, seed: int
) -> pl.DataFrame:
    """The delivery `akutpladser_ophold_<kkr>.csv`: one row per stay, spelt as care records spell."""
    rng = stream(seed, "care record", region)
    size, number = len(stays.unit), country.regions.index(region)
    kinds = units.names["kind"].gather(stays.unit).to_list()
    referrer = np.where(
        stays.from_hospital, "hospital", rng.choice(list(REFERRED_BY), size, p=list(REFERRED_BY.values()))
    )
    is_open, died = stays.end >= span.end, stays.end >= people["death"].to_numpy()[stays.person]
    goes_to = np.where(rng.random(size) < 0.12, "care", "home")
    goes_to = np.select([is_open, died, stays.to_hospital], ["open", "dead", "hospital"], goes_to)
    referred = stays.start - np.where(
        stays.from_hospital, rng.integers(120, 2 * DAY, size), rng.integers(30, DAY, size)
    )
    is_renamed = stays.start >= units.renamed[stays.unit]
    names = units.names[stays.unit]
    has_own_spelling = rng.random(size) < 0.85
    cpr = people["cpr"].gather(stays.person).cast(pl.String)
    if number % 2 == 1:  # some care records write the dash
        cpr = cpr.str.replace(r"^(\d{6})", "$1-")
    return pl.DataFrame(
        {
            "ophold_id": pl.int_range(size, eager=True) + (number + 1) * 10_000_000,
            "borger_cpr": cpr,
            "enhed_id": names["id"],
            "enhed_navn": pl.select(
                pl.when(pl.Series(is_renamed)).then(names["later_name"]).otherwise(names["name"])
            ).to_series(),
            "plads_type": pl.select(
                pl.when(pl.Series(has_own_spelling)).then(names["spelling"]).otherwise(_spelt(TYPES, kinds, rng))
            ).to_series(),
            "lovhjemmel": _spelt(LAWS, kinds, rng),
            "henvist_af": _spelt(REFERRERS, referrer.tolist(), rng),
            "henvist_tid": _danish_time(referred),
            "start_tid": _danish_time(stays.start),
            "slut_tid": pl.select(
                pl.when(pl.Series(is_open)).then(None).otherwise(_danish_time(stays.end))
            ).to_series(),
            "udskrevet_til": _spelt(DESTINATIONS, goes_to.tolist(), rng),
            "bopael_kommune": country.municipalities["municipality_code"].gather(units.municipality[stays.unit]),
        }
    ).sort(pl.Series(stays.start), "ophold_id")


def capacity_table(
    stays: PlaceStays, units: Units, country: Country, model: Model, region: str, span: Span, seed: int
) -> pl.DataFrame:
    """The delivery `akutpladser_kapacitet_<kkr>.csv`: one row per unit and day, also where there are no places."""
    plan, rng = model.acute_places, stream(seed, "capacity", region)
    numbers = units.numbers_in(country, region)
    days = (span.end - span.start) // DAY
    nights = span.start + NIGHT + np.arange(days) * DAY
    row_of = np.zeros(len(units.places), dtype=int)
    row_of[numbers] = np.arange(len(numbers))
    change = np.zeros((len(numbers), days + 1), dtype=int)
    for minute, sign in ((stays.start, 1), (stays.end, -1)):
        np.add.at(change, (row_of[stays.unit], np.searchsorted(nights, minute)), sign)
    occupied = np.cumsum(change, axis=1)[:, :days]
    is_open = nights[None, :] >= units.opened[numbers][:, None]
    normed = units.places[numbers][:, None] * is_open
    weeks = -(-days // 7)
    closed = rng.binomial(units.places[numbers][:, None], plan.closed_share, (len(numbers), weeks))
    available = np.maximum(normed - np.repeat(closed, 7, axis=1)[:, :days], 0)
    refused = rng.poisson(np.where(occupied >= available, plan.refused_when_full, plan.refused_else) * (normed > 0))
    dates = pl.Series([(span.since + timedelta(days=day)).strftime("%d-%m-%Y") for day in range(days)])
    unit = np.repeat(numbers, days)
    return pl.DataFrame(
        {
            "dato": dates.gather(np.tile(np.arange(days), len(numbers))),
            "enhed_id": units.names["id"].gather(unit),
            "plads_type": units.names["spelling"].gather(unit),
            "normerede": normed.ravel(),
            "disponible": available.ravel(),
            "belagte_kl23": occupied.ravel(),
            "afviste_henvisninger": refused.ravel(),
            "operatoer": pl.Series(["kommune"]).new_from_index(0, len(unit)),
            "kommune": country.municipalities["municipality_code"].gather(units.municipality[unit]),
        }
    )


def _chains(
    numbers: np.ndarray, units: Units, days: Lengths, model: Model, span: Span, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit, start and end of the stays on each place, one after the other, and of the overflow on top."""
    plan = model.acute_places
    mean = days.median * np.exp(days.sd**2 / 2)
    gap = mean * (1 / plan.occupancy - 1)
    before = span.start / DAY - 6 * mean  # by the first day of the period the chains are under way
    cycles = int((span.end / DAY - before) / (mean + gap) * 1.4) + 10
    bed = np.repeat(numbers, units.places[numbers])
    empty = rng.exponential(gap, (len(bed), cycles))
    length = days.median * np.exp(days.sd * rng.standard_normal((len(bed), cycles)))
    start = before + np.cumsum(empty + length, axis=1) - length
    unit, start, length = np.repeat(bed, cycles), start.ravel(), length.ravel()
    extra = rng.choice(len(unit), rng.poisson(len(unit) * plan.overflow)) if len(unit) else np.zeros(0, int)
    unit = np.append(unit, unit[extra])
    start = np.append(start, rng.uniform(before, span.end / DAY, len(extra)))
    end = start + np.append(length, length[extra])
    return unit, (start * DAY).astype(np.int64), (end * DAY).astype(np.int64)


def _discharged(
    people: pl.DataFrame, admissions: pl.DataFrame, municipality: np.ndarray, start: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each stay that wants it, the next older citizen of the municipality to leave hospital: person and minute.

    -1 where nobody leaves within a day and a half, or another stay has the same admission already.
    """
    person, left = admissions["person"].to_numpy(), admissions["end"].to_numpy()
    stays_on = (people["death"].to_numpy()[person] > left + DAY) & (people["moved"].to_numpy()[person] == NEVER)
    usable = stays_on & (ages_at(people, person, left) >= 65)
    person, left = person[usable], left[usable]
    key = people["municipality"].to_numpy()[person].astype(np.int64) * 2**40 + left
    order = np.argsort(key, kind="stable")
    key, person, left = key[order], person[order], left[order]
    match = np.minimum(np.searchsorted(key, municipality * 2**40 + start), max(len(key) - 1, 0))
    if not len(key):
        return np.full(len(start), -1), np.zeros(len(start), dtype=np.int64)
    gap = key[match] - (municipality * 2**40 + start)
    fits = wanted & (gap >= 0) & (gap < 36 * 60)
    first = np.zeros(len(start), bool)
    candidates = np.flatnonzero(fits)
    first[candidates[np.unique(match[candidates], return_index=True)[1]]] = True
    return np.where(first, person[match], -1), left[match].astype(np.int64)


def _neighbours(
    people: pl.DataFrame, municipality: np.ndarray, start: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """For each stay an older citizen of the municipality, the frail and the oldest more often; -1 = none found."""
    age = (start.mean() / DAY / 365.25 + 2000 if len(start) else 2000) - people["birth_year"].to_numpy()
    weight = np.exp(0.9 * people["frailty"].to_numpy() + 0.075 * (np.minimum(age, 95) - 65))
    weight = np.where((age >= 65) & (people["moved"].to_numpy() == NEVER), weight, 0)
    reach = np.cumsum(weight, dtype=np.float64)
    homes = people["municipality"].to_numpy()  # ascending: citizens of a municipality lie together
    first, last = np.searchsorted(homes, municipality, side="left"), np.searchsorted(homes, municipality, side="right")
    low = np.where(first > 0, reach[first - 1], 0)
    high = reach[last - 1]
    entry, death = people["entry"].to_numpy(), people["death"].to_numpy()
    found = np.full(len(start), -1, dtype=np.int64)
    for _ in range(6):  # whoever is dead or not yet here at that time is drawn anew
        missing = np.flatnonzero((found < 0) & (high > low))
        drawn = np.searchsorted(reach, low[missing] + rng.random(len(missing)) * (high - low)[missing], side="right")
        drawn = np.clip(drawn, first[missing], last[missing] - 1)
        is_here = (entry[drawn] < start[missing]) & (death[drawn] > start[missing])
        found[missing[is_here]] = drawn[is_here]
    return found


def _spelt(words: dict[str, list[str | None]], meaning: list[str], rng: np.random.Generator) -> pl.Series:
    """One of the spellings of each meaning; the first is the most usual."""
    offsets = dict(zip(words, np.cumsum([0, *(len(entry) for entry in words.values())]), strict=False))
    sizes = np.array([len(words[entry]) for entry in meaning], dtype=int)
    which = (rng.random(len(meaning)) ** 2 * sizes).astype(int)
    spellings = pl.Series([spelling for entry in words.values() for spelling in entry], dtype=pl.String)
    return spellings.gather(np.array([offsets[entry] for entry in meaning], dtype=int) + which)


def _danish_time(minute: np.ndarray) -> pl.Series:
    frame = pl.DataFrame({"minute": minute.astype(np.int64)})
    stamp = pl.datetime(2000, 1, 1) + pl.duration(minutes=pl.col("minute"))
    return frame.select(stamp.dt.to_string("%d-%m-%Y %H:%M")).to_series()
