-- What LPR_F delivers apart: where the person lived when the contact began, and the action diagnosis.
-- grain of both: one row per contact id. The latest move wins where periods overlap.
create table residence_at_start as
select
    report.contact_id,
    arg_max(residence.municipality, residence."start") as municipality
from report
inner join residence
    on residence.person = report.person
    and residence.rule is null
    and residence."start" <= make_date((getvariable('epoch_day') + report.start_minute // 1440)::integer)
    and coalesce(residence."end", date '9999-12-31') > make_date((getvariable('epoch_day') + report.start_minute // 1440)::integer)
where report.municipality is null and report.contact_id is not null
group by report.contact_id;

create table action_diagnosis as
select contact_id, min(diagnosis) as diagnosis
from reported_diagnosis
where is_action and not is_cancelled and rule is null
group by contact_id;
