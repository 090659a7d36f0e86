-- grain: municipality × month × measure × category, true counts that carry no age, sex or diagnosis.
-- n_person: distinct persons behind the count; null where it counts no persons' events, or a whole month's contacts.
create table true_municipality_month as
with started_place_stay as (
    select municipality_code, month, referred_by, count(*) as n, count(distinct person) as n_person
    from acute_place_stay
    inner join month_of_day on month_of_day.day = start_minute // 1440
    group by municipality_code, month, referred_by
),
ended_place_stay as (
    select municipality_code, month, length_band.category, count(*) as n, count(distinct person) as n_person
    from acute_place_stay
    inner join month_of_day on month_of_day.day = end_minute // 1440
    inner join length_band on (end_minute - start_minute) // 1440 between length_band.first_day and length_band.last_day
    group by municipality_code, month, length_band.category
),
followed_place_stay as (
    select municipality_code, month, person, minutes_to_admission
    from acute_place_stay
    inner join month_of_day on month_of_day.day = end_minute // 1440
    where is_followed
),
capacity as (
    select
        municipality as municipality_code,
        date_trunc('month', day)::date as month,
        sum(normed) as normed,
        sum(available) as available,
        sum(occupied) as occupied,
        bit_count(bit_or(1::integer << (day(day) - 1)::integer)) as days,  -- distinct ones, a bit each
        count(*) filter (where occupied > available) as over_capacity,
        sum(refused) as refused
    from newest_capacity_report
    where coalesce(place_type, 'acute') = 'acute'  -- other temporary places (Serviceloven § 84) stand in the same files
    group by municipality, date_trunc('month', day)
),
long as (
    select municipality_code, month, 'n_contact' as measure, '' as category, n_contact as n, null as n_person from contact_count
    union all
    -- without a time of report nothing can be said of timeliness: no row, not zero
    select municipality_code, month, 'n_contact_timely', '', n_contact_timely, null from contact_count where n_contact_dated > 0
    union all
    select municipality_code, month, 'n_contact_coded', '', n_contact_coded, null from contact_count
    union all
    select municipality_code, month, 'n_place_referral', referred_by, n, n_person from started_place_stay
    union all
    select municipality_code, month, 'n_place_stay', category, n, n_person from ended_place_stay
    union all
    select municipality_code, month, 'n_place_followed', '', count(*), count(distinct person)
    from followed_place_stay
    group by municipality_code, month
    union all
    select municipality_code, month, 'n_place_admitted_7', '', count(*), count(distinct person)
    from followed_place_stay
    where minutes_to_admission <= 7 * 1440
    group by municipality_code, month
    union all
    select municipality_code, month, 'n_place_admitted_30', '', count(*), count(distinct person)
    from followed_place_stay
    where minutes_to_admission <= 30 * 1440
    group by municipality_code, month
    union all
    select municipality_code, month, 'place_days_normed', '', normed, null from capacity
    union all
    select municipality_code, month, 'place_days_available', '', available, null from capacity
    union all
    select municipality_code, month, 'place_days_occupied', '', occupied, null from capacity
    union all
    select municipality_code, month, 'days_reported', '', days, null from capacity
    union all
    select municipality_code, month, 'days_over_capacity', '', over_capacity, null from capacity
    union all
    select municipality_code, month, 'n_refused_referral', '', refused, null from capacity
    union all
    select municipality as municipality_code, month, 'days_after_ready', '', days, null from newest_faerdigbehandlede_report
)
select municipality_code, month, measure, category, n::integer as n, n_person::integer as n_person
from long
where n > 0 and month >= getvariable('data_from') and month < getvariable('as_of_day');
