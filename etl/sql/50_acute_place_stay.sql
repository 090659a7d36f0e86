-- grain: one row per stay on a municipal acute place, its newest report; open stays have no end.
-- Only acute places (Sundhedsloven § 138); care records list other temporary places (Serviceloven § 84) beside them.
-- Whether a hospital admission followed is known once the watch of 30 days is over (`is_followed`). A citizen without
-- hospital contacts was not admitted.
create table acute_place_stay as
with newest as (
    select *
    from newest_stay_report
    where coalesce(place_type, 'acute') = 'acute' and start_minute < getvariable('as_of')
),
followed as (
    select newest.stay_id, newest.municipality, min(admission.start_minute) as admitted_minute
    from newest
    inner join place_admission as admission
        on admission.person = newest.person
        and admission.start_minute >= newest.end_minute
        and admission.start_minute <= newest.end_minute + 30 * 1440
    group by newest.stay_id, newest.municipality
)
select
    newest.municipality as municipality_code,
    newest.person,
    newest.start_minute,
    newest.end_minute,
    newest.referred_by,
    newest.end_minute + getvariable('follow_up_days') * 1440 <= getvariable('as_of') as is_followed,
    followed.admitted_minute - newest.end_minute as minutes_to_admission
from newest
left join followed using (stay_id, municipality);
