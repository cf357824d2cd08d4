-- Every axis of a part has a word of its vocabulary.
-- fix: Say what the word means in vendors/<vendor>.csv, or in screening.toml; then run screening-pipeline rebuild.
select check_key
from star.fact_check_component
where
    coalesce(lifecycle not in (
        'created', 'pending', 'awaiting_candidate', 'awaiting_client', 'awaiting_vendor', 'in_progress',
        'paused', 'review_required', 'completed', 'canceled', 'expired', 'declined', 'unknown'
    ), true)
    or coalesce(result not in ('clear', 'consider', 'referred', 'none', 'unknown'), true)
    or coalesce(adjudication not in (
        'not_expected', 'not_exposed', 'pending', 'meets', 'does_not_meet', 'pre_adverse', 'final_adverse',
        'reviewed_unspecified', 'canceled', 'custom', 'unknown'
    ), true)
    or first_observed_at > last_observed_at or component_name is null
