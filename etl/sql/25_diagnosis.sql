-- grain: diagnosis × group. Prefixes are matched on the distinct codes only; a code may be in groups of several lists.
create or replace table grouped_diagnosis as
with code as (select distinct diagnosis from contact where diagnosis is not null)
select code.diagnosis, diagnosis_group.group_id
from code
inner join diagnosis_group
    on len(list_filter(diagnosis_group.prefixes, lambda prefix: starts_with(code.diagnosis, prefix))) > 0
    and len(list_filter(diagnosis_group.excluded_prefixes, lambda prefix: starts_with(code.diagnosis, prefix))) = 0;

-- grain: diagnosis that rule R1 keeps out of index and readmission
create or replace table excluded_diagnosis as
select diagnosis, true as is_excluded
from grouped_diagnosis
where group_id = getvariable('excluded_group');
