-- grain: one row per stay on a municipal acute place, its newest report; open stays have no end.
-- Whether a hospital admission followed is known once the watch of 30 days is over, and only for citizens that the
-- hospital data know (`is_followed`).
create table acute_place_stay as
with newest as (
    select stay_report.*
    from stay_report
    inner join delivery using (sha256)
    where stay_report.rule is null and stay_report.start_minute < getvariable('as_of')
    qualify row_number() over (
        partition by stay_report.stay_id, stay_report.municipality
        order by delivery.newest_minute desc, end_minute desc nulls last, sha256, "row"
    ) = 1
),
followed as (
    select newest.stay_id, newest.municipality, min(stay.start_minute) as admitted_minute
    from newest
    inner join stay
        on stay.person = newest.person
        and stay.is_admission
        and stay.is_acute
        and stay.start_minute >= newest.end_minute
        and stay.start_minute <= newest.end_minute + 30 * 1440
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
