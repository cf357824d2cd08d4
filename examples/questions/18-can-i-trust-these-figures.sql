-- Can I trust these figures? What the figures mean is told in docs/questions.md.

select vendor, account, known_at, n, n_open, n_excluded, n_left_censored, n_no_order_time, n_conflicts, n_unmapped,
    n_rejects, vendor_time_share, to_seconds(p95) as uncertain_by_at_most
from analytics.data_quality;
