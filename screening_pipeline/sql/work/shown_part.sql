-- One row per part of a check being recomputed: when it was shown, complete too, and where it was told last.
--
-- @refresh work
select
    check_key,
    component_id,
    -- All from one message: the last that shows the part.
    max_by(part_number, place) as last_number,
    min(observed_at) as first_observed_at,
    min(observed_at) filter (where part_lifecycle = 'completed') as completed_at,
    max(observed_at) as last_observed_at,
    min(place) as first_place,
    min_by(position, place) as first_position
from told_part
group by check_key, component_id
