-- grain: one row per contact id (and per report without an id), its newest report.
-- Residence is looked up where the delivery has no municipality (LPR_F), the action diagnosis where it has none.
-- rule C2: validity is judged here, on the newest report; `rule` says what it breaks, null where it stands.
create view newest_report as
with newest as (
    select * from report anti join reported_again using (contact_id)
    union all by name
    select * exclude (newest_minute, content, copy, fate) from reported_again where fate = 'newest'
),
placed as (
    select
        newest.* exclude (municipality, diagnosis),
        coalesce(newest.municipality, residence_at_start.municipality) as municipality,
        coalesce(newest.diagnosis, action_diagnosis.diagnosis) as diagnosis
    from newest
    left join residence_at_start using (contact_id)
    left join action_diagnosis using (contact_id)
)
select
    * exclude (rule),
    case
        when rule is not null then rule
        when municipality is null then 'C2-municipality'
        when start_minute >= getvariable('as_of') then 'C2-future'
        when end_minute is null
            and start_minute < getvariable('as_of') - getvariable('open_contact_max_days') * 1440 then 'C2-open'
    end as rule
from placed;
