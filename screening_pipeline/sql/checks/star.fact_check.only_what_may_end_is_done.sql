-- Nothing is done that its axes keep open, and nothing with a word that is in no mapping.
select f.check_key
from star.fact_check as f
where
    f.is_terminal
    and (
        not star.is_ended(f.lifecycle)
        or (
            f.lifecycle = 'completed' and (
                f.result = 'none'
                or f.adjudication in ('pending', 'unknown')
                or f.dispute in ('open', 'unknown')
                -- Its release date, not that of its completion: it may have been seen complete before it was referred.
                or (f.result = 'referred' and not exists (
                    select 1
                    from star.fact_check_event as e
                    where e.check_key = f.check_key and e.result = 'referred' and e.occurred_at is not null
                ))
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
