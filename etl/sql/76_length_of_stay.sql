-- grain: region (map 2024) × year × age class × diagnosis group: acute admissions and their bed days, true counts.
-- Municipal bed days would tell of single long stays, so they are counted by region, and only where at least ten
-- persons stand behind the figure.
create table true_length_of_stay as
select
    region_code,
    year,
    age_from,
    group_id,
    n_acute::integer as n_acute,
    round(minutes / 1440.0)::integer as bed_days
from length_of_stay_count
where n_person >= 10;
