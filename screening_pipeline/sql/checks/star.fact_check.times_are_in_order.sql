-- The earliest time of a completion is not after the latest, and looks follow each other.
select check_key
from star.fact_check
where
    completed_at_earliest > completed_at
    or completed_at > last_observed_at
    or (completed_at is null) <> (completed_at_source is null)
    or (completed_at is null and completed_at_earliest is not null)
    or first_observed_at > last_observed_at
    or last_changed_at not between first_observed_at and last_observed_at
    or (closed_at is not null and closed_at not between first_observed_at and last_observed_at)
    or coalesce(reopened_at is null, true) <> (reopened_count = 0)
