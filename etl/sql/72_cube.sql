-- grain: municipality × month × sex × age band × diagnosis group, true counts: this table never leaves the secure side.
create table true_cube as
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
from cube_of_part
group by municipality, month, sex, age_from, group_id;
