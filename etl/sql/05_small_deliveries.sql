-- Small deliveries: of the same fact told twice, the delivery that tells of the latest day wins.

-- grain: day × unit of acute places; other temporary places (Serviceloven § 84) stand in the same files
create table newest_capacity as
select municipality, unit_id, day, normed, available, occupied, refused
from capacity_report
inner join delivery using (delivery)
where capacity_report.rule is null and coalesce(capacity_report.place_type, 'acute') = 'acute'
qualify row_number() over (partition by municipality, unit_id, day order by delivery.newest_minute desc, delivery, "row") = 1;

-- grain: municipality × month
create table newest_faerdigbehandlede as
select faerdigbehandlede_report.*
from faerdigbehandlede_report
inner join delivery using (delivery)
where faerdigbehandlede_report.rule is null
qualify row_number() over (partition by municipality, month order by delivery.newest_minute desc, delivery, "row") = 1;

-- grain: report of a known person's date of death
create view told_death as
select person, death_date
from (
    select person, death_date from death_report where rule is null
    union all
    select person, death_date from death_of_contact
)
where person is not null and death_date is not null;
