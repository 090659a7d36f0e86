-- grain: region (map 2024) × year × age class × diagnosis group: acute admissions and their bed days, true counts.
-- Municipal bed days would tell of single long stays, so they are counted by region, and only where at least ten
-- persons stand behind the figure.
create table true_length_of_stay as
with placed as (
    select
        membership.area_code as region_code,
        extract(year from month_of_day.month)::smallint as year,
        case when age >= 65 then 65 when age >= 18 then 18 else 0 end::smallint as age_from,
        diagnosis,
        person,
        end_minute - start_minute as minutes
    from stay
    inner join month_of_day on month_of_day.day = start_minute // 1440
    inner join membership
        on membership.municipality_code = lpad(stay.municipality::varchar, 4, '0')
        and membership.level = 'region'
        and membership.valid_from <= date '2024-01-01'
        and coalesce(membership.valid_to, date '9999-12-31') > date '2024-01-01'
    where is_admission and is_acute and not is_open
),
in_group as (
    select placed.* exclude (diagnosis), 'all' as group_id from placed
    union all by name
    select placed.* exclude (diagnosis), grouped_diagnosis.group_id
    from placed
    inner join grouped_diagnosis using (diagnosis)
    where grouped_diagnosis.group_id <> getvariable('excluded_group')
)
select
    region_code,
    year,
    age_from,
    group_id,
    count(*)::integer as n_acute,
    round(sum(minutes) / 1440.0)::integer as bed_days
from in_group
group by region_code, year, age_from, group_id
having count(distinct person) >= 10;
