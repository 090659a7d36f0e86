-- grain: one row per newest report of the persons of this part
create or replace table report_of_part as
select *
from newest_report
where person between getvariable('person_from') and getvariable('person_to');

insert into held_back
select delivery, "row", rule
from report_of_part
where rule is not null;

insert into row_count
select 'newest_reports', count(*) from report_of_part
union all
select 'valid_contacts', count(*) from report_of_part where rule is null and not is_cancelled;

insert into contact_count
select
    municipality,
    month_of_day.month,
    count(*),
    count(*) filter (
        where reported_minute - coalesce(end_minute, start_minute) <= getvariable('timely_days') * 1440
    ),
    count(*) filter (where diagnosis is not null),
    count(reported_minute)
from report_of_part
inner join month_of_day on month_of_day.day = start_minute // 1440
where rule is null and not is_cancelled
group by municipality, month_of_day.month;
