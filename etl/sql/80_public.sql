-- Tables of the release that hold no persons and need no protection; names and columns as in kpis/release.toml.

create table out_population as
select
    municipality as municipality_code,
    quarter,
    sex::tinyint as sex,
    age_from::smallint as age_from,
    sum(persons)::integer as persons
from newest_population_report
group by municipality, quarter, sex, age_from;

create table out_membership as
select municipality_code, level, area_code, valid_from, valid_to, confidence from membership
union all
select area_code, 'municipality', area_code, valid_from, valid_to, 'verified' from area where level = 'municipality'
union all
select area_code, 'country', 'DK', valid_from, valid_to, 'verified' from area where level = 'municipality';

create table out_coverage as
with file_of_stays as (
    -- a small municipality may have no stay in a month that its care record does cover: the file tells the months
    select
        delivery,
        -- a stay may begin before the data period
        greatest(min(start_minute) // 1440, getvariable('data_from') - date '2000-01-01') as first_day,
        max(start_minute) // 1440 as last_day
    from stay_report
    where rule is null and start_minute < getvariable('as_of')
    group by delivery
),
days_of_file as (
    select delivery, unnest([first_day, last_day]) as day from file_of_stays
),
days_of_capacity as (
    select municipality, unnest([min(day), max(day)]) as day
    from newest_capacity_report
    where coalesce(place_type, 'acute') = 'acute'
    group by municipality
),
told as (
    select 'lpr_contacts' as kind, municipality_code, month from true_municipality_month where measure = 'n_contact'
    union all
    select 'acute_place_stays', place.municipality, month_of_day.month
    from (select distinct delivery, municipality from stay_report where rule is null) as place
    inner join days_of_file using (delivery)
    inner join month_of_day using (day)
    union all
    select 'acute_place_capacity', municipality, date_trunc('month', day)::date from days_of_capacity
    union all
    select 'faerdigbehandlede', municipality, month from newest_faerdigbehandlede_report
    union all
    select 'population', municipality_code, quarter from out_population
    union all
    select 'services_template', municipality, getvariable('data_from') from service_report where rule is null
)
select kind, municipality_code, min(month) as first_month, max(month) as last_month
from told
group by kind, municipality_code;

create table out_goal as
select goal_id, indicator, level, area_code, scope, term, baseline_value, baseline_period, target_value, due_date
from newest_goal_report;

create table out_intervention as
select
    intervention_id,
    name,
    'municipality' as level,
    lpad(trim(unnest(string_split(municipalities, '|'))), 4, '0') as area_code,
    -- a municipality that starts later stands in later_starts as 0813=2025-02-01
    coalesce(
        try_cast(regexp_extract(later_starts, area_code || '=(\d{4}-\d{2}-\d{2})', 1) as date), start_date
    ) as start_date,
    end_date,
    expected_effect,
    indicator,
    locked_on,
    what,
    counterweight,
    negative_control,
    owner,
    cost,
    bed_day_price,
    price_source,
    registered_on,
    plan_hash,
    locked_plan
from newest_intervention_report;

create table out_service as
select
    municipality as municipality_code,
    service_type,
    name,
    address,
    phone,
    hours,
    referrers,
    list_transform(string_split(competences, ','), lambda competence: trim(competence)) as competences,
    n_places::integer as n_places,
    response_minutes::integer as response_minutes,
    operator,
    valid_from,
    null::date as valid_to
from newest_service_report;

-- Figures of others, one a row (generic long) or with years side by side (eSundhed).
create table out_official_figure as
with newest as (
    select *, 'generic_long' as source from newest_official_report
    union all by name
    select *, 'esundhed' as source from newest_esundhed_report
)
select
    indicator,
    split_part(area, ':', 1) as level,
    split_part(area, ':', 2) as area_code,
    period,
    numerator,
    denominator,
    value,
    source
from newest;

-- grain: municipality × period × StatBank table × measure; n is null where StatBank gives none
create table out_welfare as
select municipality as municipality_code, period, statbank_table, measure, n
from newest_statbank_report;

-- grain: indicator × area × period of a questionnaire's answers
create table out_baseline as
select
    indicator,
    split_part(area, ':', 1) as level,
    split_part(area, ':', 2) as area_code,
    period,
    value,
    unit,
    respondents::integer as respondents
from newest_baseline_report;
