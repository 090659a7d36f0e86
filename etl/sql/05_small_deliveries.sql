-- Deaths, which are told by person, apart from contacts and in them.

-- grain: report of a known person's date of death
create view told_death as
select person, death_date
from (
    select person, death_date from death_report where rule is null
    union all
    select person, death_date from death_of_contact
)
where person is not null and death_date is not null;
