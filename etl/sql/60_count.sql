-- Counts of this part's stays. True counts: they never leave the secure side.

drop table contact_of_stay; -- makes room: nothing after this looks at contacts

-- grain: municipality × month × sex × age band × diagnosis group.
-- A stay counts in the month it starts, an index discharge in the month it ends (rule R3).
create or replace table counted_stay as
select
    municipality,
    month_of_day.month,
    sex,
    age_band.age_from,
    diagnosis,
    1 as n_stay,
    is_admission::integer as n_admission,
    (is_admission and is_acute)::integer as n_acute,
    is_short::integer as n_short,
    0 as n_index,
    0 as n_readmission
from stay
inner join month_of_day on month_of_day.day = start_minute // 1440
inner join age_band using (age)
union all
select
    municipality,
    month_of_day.month,
    sex,
    age_band.age_from,
    diagnosis,
    0,
    0,
    0,
    0,
    1,
    is_readmitted::integer
from admission
inner join month_of_day on month_of_day.day = end_minute // 1440
inner join age_band using (age)
where is_readmitted is not null;

insert into cube_of_part
with in_group as (
    select * exclude (diagnosis), 'all' as group_id from counted_stay
    union all by name
    select counted_stay.* exclude (diagnosis), grouped_diagnosis.group_id
    from counted_stay
    inner join grouped_diagnosis using (diagnosis)
    where grouped_diagnosis.group_id <> getvariable('excluded_group')
)
select
    municipality,
    month,
    sex,
    age_from,
    group_id,
    sum(n_stay)::integer,
    sum(n_admission)::integer,
    sum(n_acute)::integer,
    sum(n_short)::integer,
    sum(n_index)::integer,
    sum(n_readmission)::integer
from in_group
group by municipality, month, sex, age_from, group_id;

drop table counted_stay;

-- grain: region (map 2024) × year × age class × diagnosis group: acute admissions, their persons and bed days
insert into length_of_stay_of_part
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
select region_code, year, age_from, group_id, count(*), count(distinct person), sum(minutes)::bigint
from in_group
group by region_code, year, age_from, group_id;

insert into row_count
select 'physical_contacts', count(*) from contact
union all
select 'stays', count(*) from stay
union all
select 'admissions', count(*) from admission
union all
select 'index_admissions', count(*) from admission where is_readmitted is not null
union all
select 'readmissions', count(*) from admission where is_readmitted;
