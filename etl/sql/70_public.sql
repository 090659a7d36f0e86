-- Tables of the release that hold no persons and need no protection; names and columns as in kpis/release.toml.

-- Of two deliveries of a quarter the one that reaches further in time counts.
create table out_population as
with chosen as (
    select municipality, quarter, arg_max(sha256, (newest_minute, sha256)) as sha256
    from (select distinct municipality, quarter, sha256 from population_report where rule is null)
    inner join delivery using (sha256)
    group by municipality, quarter
)
select
    municipality as municipality_code,
    quarter,
    sex::tinyint as sex,
    age_from::smallint as age_from,
    sum(persons)::integer as persons
from population_report
semi join chosen using (municipality, quarter, sha256)
where rule is null
group by municipality, quarter, sex, age_from;

create table out_membership as
select municipality_code, level, area_code, valid_from, valid_to, confidence from membership
union all
select area_code, 'municipality', area_code, valid_from, valid_to, 'verified' from area where level = 'municipality'
union all
select area_code, 'country', 'DK', valid_from, valid_to, 'verified' from area where level = 'municipality';

create table out_coverage as
with told as (
    select 'lpr_contacts' as kind, municipality_code, month from true_municipality_month where measure = 'n_contact'
    union all
    select 'acute_place_stays', municipality_code, month from true_municipality_month where measure = 'n_place_referral'
    union all
    select 'acute_place_capacity', municipality, date_trunc('month', day)::date from newest_capacity
    union all
    select 'faerdigbehandlede', municipality, month from newest_faerdigbehandlede
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
from goal_report
inner join delivery using (sha256)
where goal_report.rule is null
qualify row_number() over (partition by goal_id order by delivery.newest_minute desc, sha256, "row") = 1;

create table out_intervention as
with newest as (
    select intervention_report.*
    from intervention_report
    inner join delivery using (sha256)
    where intervention_report.rule is null
    qualify row_number() over (partition by intervention_id order by delivery.newest_minute desc, sha256, "row") = 1
)
select
    intervention_id,
    name,
    'municipality' as level,
    lpad(trim(unnest(string_split(municipalities, '|'))), 4, '0') as area_code,
    start_date,
    end_date,
    expected_effect,
    indicator,
    locked_on
from newest;

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
from service_report
inner join delivery using (sha256)
where service_report.rule is null
qualify row_number() over (partition by municipality, service_type, name order by delivery.newest_minute desc, sha256, "row") = 1;
