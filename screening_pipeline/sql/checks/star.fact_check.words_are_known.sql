-- Every axis has a word of its vocabulary.
-- fix: Say what the word means in vendors/<vendor>.csv, or in screening.toml; then run screening-pipeline rebuild.
select check_key
from star.fact_check
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
    or coalesce(dispute not in ('none', 'open', 'closed', 'unknown'), true)
    or coalesce(next_actor not in (
        'candidate', 'client', 'vendor', 'client_or_candidate', 'none', 'unknown'
    ), true)
    or coalesce(completed_at_source not in ('vendor', 'push', 'observed'), false)
    or is_terminal is null or is_partial is null or has_conflict is null
