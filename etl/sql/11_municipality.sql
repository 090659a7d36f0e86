-- Where the person of a contact without municipality (LPR_F) lived when it began. Of periods that overlap, the latest.
-- grain: one row per contact asked about for which a residence is known.
select asked.at, arg_max(residence.municipality, residence."start") as municipality
from asked_report as asked
inner join residence
    on residence.person = asked.person
    and residence.rule is null
    and residence."start" <= make_date((getvariable('epoch_day') + asked.start_minute // 1440)::integer)
    and coalesce(residence."end", date '9999-12-31') > make_date((getvariable('epoch_day') + asked.start_minute // 1440)::integer)
group by asked.at
