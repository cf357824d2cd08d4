-- Nothing is done that its axes keep open, and nothing with a word that is in no mapping.
select f.check_key
from star.fact_check as f
where
    f.is_terminal
    and (
        f.lifecycle not in ('completed', 'canceled', 'expired', 'declined')
        or (
            f.lifecycle = 'completed' and (
                f.result = 'none'
                or f.adjudication in ('pending', 'unknown')
                or f.dispute in ('open', 'unknown')
                or (f.result = 'referred' and f.completed_at_source is distinct from 'vendor')
            )
        )
        or exists (
            select 1
            from ops.unmapped_value as u
            where
                u.check_key = f.check_key and u.is_current
                and u.field in ('status', 'detail', 'result', 'adjudication', 'dispute')
        )
    )
