-- grain: municipality × quarter × sex × age; of each municipality and quarter all rows of one delivery
create view newest_population_report as
with chosen as (
    select municipality, quarter, arg_max(delivery, precedence) as delivery
    from (select distinct municipality, quarter, delivery from population_report where rule is null)
    inner join delivery using (delivery)
    group by municipality, quarter
)
select population_report.*
from population_report
semi join chosen using (municipality, quarter, delivery)
where rule is null;

-- grain: report of a known person's date of death
create view told_death as
select person, death_date, delivery
from (
    select person, death_date, delivery from death_report where rule is null
    union all
    select person, death_date, delivery from death_of_contact
)
where person is not null and death_date is not null;
