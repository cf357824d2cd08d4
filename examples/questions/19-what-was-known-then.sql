-- What was known then? What the figures mean is told in docs/questions.md.

select vendor, check_id, lifecycle, result, observed_at
from star.check_as_of(timestamptz '2026-03-31 23:59:59+00')
where is_terminal is not true;
