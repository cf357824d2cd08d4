-- An outcome is changed, unchanged, rejected, throttled or failed.
select response_id
from star.fact_pull
where coalesce(outcome not in ('changed', 'unchanged', 'rejected', 'throttled', 'failed'), true)
