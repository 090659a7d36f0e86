-- grain: one row per valid physical contact (rules C2–C4), sorted by person, start, end, id.
-- The sort is the one expensive step; every later window streams over this order.
create or replace table contact as
select
    person,
    start_minute,
    coalesce(end_minute, getvariable('as_of')) as end_minute,
    end_minute is null as is_open,
    is_acute,
    municipality,
    age,
    sex,
    diagnosis,
    contact_id
from report_of_part
where rule is null and not is_cancelled and is_physical
order by person, start_minute, end_minute, contact_id;

drop table report_of_part;
