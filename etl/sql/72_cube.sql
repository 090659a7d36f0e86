-- grain: municipality × month × sex × age band × diagnosis group, true counts: this table never leaves the secure side.
-- A stay counts in the month it starts, an index discharge in the month it ends (rule R3).
create table counted_stay as
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

create table true_cube as
with by_diagnosis as (
    select
        municipality,
        month,
        sex,
        age_from,
        diagnosis,
        sum(n_stay)::integer as n_stay,
        sum(n_admission)::integer as n_admission,
        sum(n_acute)::integer as n_acute,
        sum(n_short)::integer as n_short,
        sum(n_index)::integer as n_index,
        sum(n_readmission)::integer as n_readmission
    from counted_stay
    group by municipality, month, sex, age_from, diagnosis
),
in_group as (
    select *, 'all' as group_id from by_diagnosis
    union all by name
    select by_diagnosis.*, grouped_diagnosis.group_id
    from by_diagnosis
    inner join grouped_diagnosis using (diagnosis)
    where grouped_diagnosis.group_id <> getvariable('excluded_group')
)
select
    lpad(municipality::varchar, 4, '0') as municipality_code,
    month,
    sex,
    age_from,
    group_id,
    sum(n_stay)::integer as n_stay,
    sum(n_admission)::integer as n_admission,
    sum(n_acute)::integer as n_acute,
    sum(n_short)::integer as n_short,
    sum(n_index)::integer as n_index,
    sum(n_readmission)::integer as n_readmission
from in_group
group by municipality, month, sex, age_from, group_id;

drop table counted_stay;
