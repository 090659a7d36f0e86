-- The action diagnosis of a contact without one (LPR_F and LPR2 deliver diagnoses apart).
-- grain: one row per contact asked about that has an action diagnosis.
select asked.at, min(reported_diagnosis.diagnosis) as diagnosis
from asked_report as asked
inner join reported_diagnosis using (contact_id)
where reported_diagnosis.is_action
    and not reported_diagnosis.is_cancelled
    and reported_diagnosis.rule is null
    and reported_diagnosis.diagnosis is not null
group by asked.at
