-- grain: one row per hospital stay (rules S1–S5), sorted by person and start.
--
-- A stay ends where the next contact of the person starts more than the gap after the *latest* end so far.
-- `reach` packs the person's rank above the end, so that one running maximum over the whole sorted table is the
-- running maximum within each person: no partitions, no second sort. A new person's rank lies so far above the old
-- reach that it always begins a stay.
create or replace table contact_of_stay as
with ranked as (
    select
        *,
        count(*) filter (where person is distinct from previous_person) over (rows unbounded preceding) * 4294967296 as rank
    from (select *, lag(person) over () as previous_person from contact)
),
reached as (
    select
        *,
        max(rank + end_minute) over (rows unbounded preceding) as reach,
        count(*) filter (where is_open) over (rows unbounded preceding) as open_so_far
    from ranked
),
parted as (
    select
        *,
        lag(reach) over () as reach_before,
        coalesce(
            case
                when getvariable('gap_includes_limit')
                    then rank + start_minute - lag(reach) over () > getvariable('gap_minutes')
                else rank + start_minute - lag(reach) over () >= getvariable('gap_minutes')
            end,
            true
        ) as begins_stay
    from reached
)
select
    * exclude (rank, previous_person),
    count(*) filter (where begins_stay) over (rows unbounded preceding) as stay_id,
    row_number() over () as contact_number
from parted;

-- Rule S4 where there is a choice: the diagnosis with most time in the stay; ties: the earlier start, then the code.
create or replace table diagnosis_of_joined_stay as
with joined as (
    select stay_id from contact_of_stay where not begins_stay group by stay_id
),
timed as (
    select stay_id, diagnosis, sum(end_minute - start_minute)::bigint as minutes, min(start_minute) as first_start
    from contact_of_stay
    semi join joined using (stay_id)
    where diagnosis is not null
    group by stay_id, diagnosis
)
select
    stay_id,
    arg_min(diagnosis, (-minutes, first_start, diagnosis)) as diagnosis
from timed
group by stay_id;

-- The first contact of a stay carries what rule S3 asks for; the next stay's first row already knows how far this one
-- reached, how many contacts it had and how many were open.
create or replace table stay as
with first_contact as (
    select * from contact_of_stay where begins_stay
    union all by name
    select
        max(reach) as reach_before,
        coalesce(max(contact_number), 0) + 1 as contact_number,
        coalesce(max(open_so_far), 0) as open_so_far,
        false as is_open
    from contact_of_stay
),
ended as (
    select
        *,
        (lead(reach_before) over () % 4294967296)::integer as stay_end_minute,
        (lead(contact_number) over () - contact_number)::integer as n_contact,
        lead(open_so_far - is_open::integer) over () - (open_so_far - is_open::integer) > 0 as stay_is_open
    from first_contact
),
diagnosed as (
    select
        ended.* exclude (diagnosis),
        case when n_contact = 1 then ended.diagnosis else diagnosis_of_joined_stay.diagnosis end as diagnosis
    from ended
    left join diagnosis_of_joined_stay using (stay_id)
    where stay_id is not null
)
select
    stay_id,
    person,
    start_minute,
    stay_end_minute as end_minute,
    n_contact,
    stay_is_open as is_open,
    is_acute,
    municipality,
    age,
    sex,
    diagnosis,
    excluded_diagnosis.is_excluded is not null as is_excluded_from_readmission,
    stay_end_minute - start_minute >= getvariable('admission_minutes') as is_admission,
    is_acute and stay_end_minute - start_minute < getvariable('short_stay_minutes') as is_short
from diagnosed
left join excluded_diagnosis using (diagnosis)
order by stay_id;
