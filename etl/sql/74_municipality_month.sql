-- grain: municipality × month × measure × category, true counts that carry no age, sex or diagnosis.
create table true_municipality_month as
with contact_counts as (
    select
        lpad(municipality::varchar, 4, '0') as municipality_code,
        month,
        sum(n_contact) as n_contact,
        sum(n_contact_timely) as n_contact_timely,
        sum(n_contact_coded) as n_contact_coded,
        sum(n_contact_dated) as n_contact_dated
    from contact_count
    group by municipality, month
),
started_place_stay as (
    select municipality_code, month, referred_by, count(*) as n
    from acute_place_stay
    inner join month_of_day on month_of_day.day = start_minute // 1440
    group by municipality_code, month, referred_by
),
ended_place_stay as (
    select
        municipality_code,
        month,
        length_band.category,
        count(*) as n,
        count(*) filter (where is_followed) as n_followed,
        count(*) filter (where is_followed and minutes_to_admission <= 7 * 1440) as n_admitted_7,
        count(*) filter (where is_followed and minutes_to_admission <= 30 * 1440) as n_admitted_30
    from acute_place_stay
    inner join month_of_day on month_of_day.day = end_minute // 1440
    inner join length_band on (end_minute - start_minute) // 1440 between length_band.first_day and length_band.last_day
    group by municipality_code, month, length_band.category
),
capacity as (
    select
        municipality as municipality_code,
        date_trunc('month', day)::date as month,
        sum(normed) as normed,
        sum(available) as available,
        sum(occupied) as occupied,
        count(distinct day) as days,
        count(*) filter (where occupied > available) as over_capacity,
        sum(refused) as refused
    from newest_capacity
    group by municipality, date_trunc('month', day)
),
long as (
    select municipality_code, month, 'n_contact' as measure, '' as category, n_contact as n from contact_counts
    union all
    -- without a time of report nothing can be said of timeliness: no row, not zero
    select municipality_code, month, 'n_contact_timely', '', n_contact_timely from contact_counts where n_contact_dated > 0
    union all
    select municipality_code, month, 'n_contact_coded', '', n_contact_coded from contact_counts
    union all
    select municipality_code, month, 'n_place_referral', referred_by, n from started_place_stay
    union all
    select municipality_code, month, 'n_place_stay', category, n from ended_place_stay
    union all
    select municipality_code, month, 'n_place_followed', '', sum(n_followed) from ended_place_stay group by all
    union all
    select municipality_code, month, 'n_place_admitted_7', '', sum(n_admitted_7) from ended_place_stay group by all
    union all
    select municipality_code, month, 'n_place_admitted_30', '', sum(n_admitted_30) from ended_place_stay group by all
    union all
    select municipality_code, month, 'place_days_normed', '', normed from capacity
    union all
    select municipality_code, month, 'place_days_available', '', available from capacity
    union all
    select municipality_code, month, 'place_days_occupied', '', occupied from capacity
    union all
    select municipality_code, month, 'days_reported', '', days from capacity
    union all
    select municipality_code, month, 'days_over_capacity', '', over_capacity from capacity
    union all
    select municipality_code, month, 'n_refused_referral', '', refused from capacity
    union all
    select municipality as municipality_code, month, 'days_after_ready', '', days from newest_faerdigbehandlede
)
select municipality_code, month, measure, category, n::integer as n
from long
where n > 0 and month >= getvariable('data_from') and month < getvariable('as_of_day');
