-- grain: one row per report of a contact that was reported more than once.
-- rule C1: the newest report wins (time of report, then the extract that tells of the latest point in time, then
-- content); equal rows count once. Only ids seen twice need a decision: that is a small part of all reports.
create table reported_again as
with again as (
    select contact_id
    from report
    where contact_id is not null
    group by contact_id
    having count(*) > 1
),
hashed as (
    select
        report.*,
        delivery.newest_minute,
        hash(
            person, start_minute, end_minute, reported_minute, municipality, age, sex, is_physical, is_acute,
            report.diagnosis, is_cancelled, report.rule
        ) as content
    from report
    inner join again using (contact_id)
    inner join delivery using (delivery)
),
numbered as (
    select
        *,
        row_number() over (partition by contact_id, content order by newest_minute desc, delivery, "row") as copy
    from hashed
)
select
    *,
    case
        when copy > 1 then 'duplicate'
        when row_number() over (
            partition by contact_id, copy
            order by reported_minute desc nulls last, newest_minute desc, content, delivery, "row"
        ) > 1 then 'superseded'
        else 'newest'
    end as fate
from numbered;
