-- What adds up over the parts. Contacts are built into stays part by part, each part a range of persons, so that no
-- sort outgrows memory; persons lie in exactly one part, so counts (of persons, too) simply add up.

-- grain: newest report that is held back (rule C2)
create table held_back as
select delivery, "row", rule
from newest_report
where person is null and rule is not null;

create table row_count (step varchar, n bigint);

-- grain: part × municipality × month
create table contact_count (
    municipality smallint,
    month date,
    n_contact bigint,
    n_contact_timely bigint,
    n_contact_coded bigint,
    n_contact_dated bigint
);

-- grain: stay on a municipal acute place (see 50)
create table acute_place_stay (
    municipality_code varchar,
    person ubigint,
    start_minute integer,
    end_minute integer,
    referred_by varchar,
    is_followed boolean,
    minutes_to_admission integer
);

-- grain: part × municipality × month × sex × age band × diagnosis group (see 60)
create table cube_of_part (
    municipality smallint,
    month date,
    sex tinyint,
    age_from smallint,
    group_id varchar,
    n_stay integer,
    n_admission integer,
    n_acute integer,
    n_short integer,
    n_index integer,
    n_readmission integer
);

-- grain: part × region × year × age class × diagnosis group (see 60)
create table length_of_stay_of_part (
    region_code varchar,
    year smallint,
    age_from smallint,
    group_id varchar,
    n_acute bigint,
    n_person bigint,
    minutes bigint
);
