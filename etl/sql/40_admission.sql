-- grain: one row per admission, sorted by person and start.
-- is_readmitted: true, false, or null = not an index (rule R1). Rule R2 looks at the next admission only, so that a
-- planned one in between ends the watch; shorter stays are skipped.
create or replace table admission as
with followed as (
    select
        *,
        lead(person) over () as next_person,
        lead(start_minute) over () as next_start_minute,
        lead(is_acute) over () as next_is_acute,
        lead(is_excluded_from_readmission) over () as next_is_excluded
    from stay
    where is_admission
),
with_death as (
    select
        followed.*,
        (first_death.death_day - getvariable('epoch_day')) * 1440 as death_minute -- midnight at the start of the day
    from followed
    left join first_death using (person)
)
select
    * exclude (next_person, next_start_minute, next_is_acute, next_is_excluded, death_minute),
    case
        when is_open
            or is_excluded_from_readmission
            or death_minute <= end_minute
            or end_minute + getvariable('follow_up_days') * 1440 > getvariable('as_of') then null
        else coalesce(
            next_person = person
            and next_is_acute
            and not next_is_excluded
            and next_start_minute <= end_minute + getvariable('follow_up_days') * 1440,
            false
        )
    end as is_readmitted
from with_death
order by stay_id;
