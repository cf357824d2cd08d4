"""What the report shows, asked of the analytics views: one query for each table or chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from screening_pipeline.report import page as html
from screening_pipeline.report.page import Row
from screening_pipeline.warehouse import session

Figures = Mapping[str, list[Row]]

_SHARES = "[0.5, 0.75, 0.9, 0.95]"
_PHASE = """
    if(next_actor in ('candidate', 'client', 'client_or_candidate', 'vendor'), next_actor, 'unknown')
"""

QUERIES: Mapping[str, str] = {
    "vendors": "select vendor, vendor_name from star.dim_vendor order by vendor_name",
    "scope": """
        select
            strftime(max(latest_at), '%-d %B %Y, %H:%M UTC') as as_of,
            count(*) as accounts,
            (select count(*) from analytics.check_clock) as checks,
            (select count(*) from analytics.open_check_ageing) as open_checks,
            (select count(*) from analytics.open_check_ageing where is_stale) as stale
        from analytics.account_horizon
    """,
    "turnaround": "from analytics.turnaround_by_vendor order by vendor",
    "packages": f"""
        with
        figure as (
            select
                vendor,
                coalesce(package, 'no package') as package,
                count(*) filter (where is_included) as n,
                quantile_cont(seconds, {_SHARES}) as late,
                quantile_cont(seconds_earliest, 0.5) as p50_earliest
            from analytics.check_clock
            group by all
        )

        select * from figure
        where n > 0
        qualify row_number() over (partition by vendor order by n desc, package) <= 6
        order by vendor, n desc, package
    """,
    # Few days are told by day, some months by week, more by month; only a vendor's most ordered packages.
    "trend": """
        with
        counted as (
            select
                c.vendor,
                coalesce(c.package, 'no package') as package,
                timezone(h.timezone, c.ordered_at) as ordered,
                c.is_included,
                c.is_open,
                c.seconds
            from analytics.check_clock as c
            inner join analytics.account_horizon as h on c.vendor = h.vendor and c.account = h.account
            where c.ordered_at is not null
        ),

        grain as (
            select
                case
                    when max(ordered) - min(ordered) <= interval 14 day then 'day'
                    when max(ordered) - min(ordered) <= interval 70 day then 'week'
                    else 'month'
                end as part
            from counted
        ),

        common as (
            select vendor, package, count(*) as n_ordered
            from counted
            group by vendor, package
            qualify row_number() over (partition by vendor order by count(*) desc, package) <= 4
        )

        select
            vendor,
            package,
            n_ordered,
            part,
            strftime(date_trunc(part, ordered), '%Y-%m-%dT00:00:00') as ordered_on,
            count(*) filter (where is_included) as n,
            count(*) filter (where is_open) as n_open,
            quantile_cont(seconds, 0.5) as p50
        from counted
        inner join common using (vendor, package)
        cross join grain
        group by all
        having n > 0
        order by vendor, n_ordered desc, package, ordered_on
    """,
    # A curve of a hundred thousand steps looks like one of two hundred.
    "survival": """
        with
        stepped as (
            select
                *,
                row_number() over sequence = 1 as is_first,
                lead(survival) over sequence is null as is_last,
                floor(lag(survival) over sequence * 200) as previous,
                floor(lag(survival_earliest) over sequence * 200) as previous_earliest
            from analytics.turnaround_survival
            window sequence as (partition by vendor order by time_seconds)
        )

        select vendor, time_seconds, n_at_risk, survival, survival_middle, survival_earliest
        from stepped
        where
            is_first or is_last
            or floor(survival * 200) < previous
            or floor(survival_earliest * 200) < previous_earliest
        order by vendor, time_seconds
    """,
    "parts": """
        select * from analytics.turnaround_by_check_type
        where n > 0
        qualify row_number() over (partition by vendor order by n desc, check_type) <= 6
        order by vendor, n desc, check_type
    """,
    "phases": "from analytics.turnaround_phases where n_touched > 0 order by vendor, phase",
    "holders": f"""
        select
            vendor,
            {_PHASE} as phase,
            count(*) as open_checks,
            count(*) filter (where is_stale) as stale,
            quantile_cont(held_seconds, 0.5) as p50_held,
            max(held_seconds) as longest_held,
            max(held_business_days) as longest_held_days
        from analytics.open_check_ageing
        group by all
        order by vendor, open_checks desc
    """,
    "ages": f"""
        select
            case
                when age_seconds < 86400 then 'under 1 day'
                when age_seconds < 3 * 86400 then '1 to 3 days'
                when age_seconds < 7 * 86400 then '3 to 7 days'
                when age_seconds < 14 * 86400 then '1 to 2 weeks'
                when age_seconds < 30 * 86400 then '2 to 4 weeks'
                else 'over 30 days'
            end as age,
            {_PHASE} as phase,
            count(*) as open_checks
        from analytics.open_check_ageing
        where age_seconds is not null
        group by all
        order by all
    """,
    "oldest": """
        select * from analytics.open_check_ageing
        order by age_seconds desc nulls last, check_key
        limit 12
    """,
    "sla": "from analytics.sla_attainment order by sla_target, vendor",
    "breaches": """
        select *, count(*) over () as breaches from analytics.sla_breaches
        order by is_certain desc, coalesce(overrun_seconds, overrun_business_days * 86400) desc, check_key
        limit 12
    """,
    "adjudication": "from analytics.adjudication_mix order by vendor, n desc, result, adjudication",
    "missing": """
        select *, count(*) over () as waiting from analytics.missing_adjudication
        order by waiting_seconds desc nulls last, check_key
        limit 12
    """,
    "adverse": """
        select * from analytics.adverse_action
        where is_without_notice or is_too_early or is_during_dispute or is_waiting_over
        order by vendor, check_id
        limit 12
    """,
    "pulls": """
        select
            vendor,
            sum(n_calls)::bigint as n_calls,
            sum(n_changed)::bigint as n_changed,
            sum(n_unchanged)::bigint as n_unchanged,
            sum(n_rejected + n_throttled + n_failed)::bigint as n_lost,
            sum(n_changes)::bigint as n_changes,
            sum(n_calls) / nullif(sum(n_changes), 0) as calls_per_change,
            max(budget_share) as budget_share,
            arg_max(p50, week) filter (where p50 is not null) as p50,
            arg_max(p95, week) filter (where p50 is not null) as p95,
            arg_max(p50_earliest, week) filter (where p50 is not null) as p50_earliest
        from analytics.pull_efficiency
        group by vendor
        order by vendor
    """,
    "quality": "from analytics.data_quality order by vendor nulls last, account",
    "subscriptions": """
        select
            vendor,
            count(*) as n,
            count(*) filter (where is_active) as n_active,
            sum(n_runs)::bigint as n_runs,
            sum(n_alerts)::bigint as n_alerts,
            sum(n_rewritten)::bigint as n_rewritten,
            max(silent_seconds) as longest_silence
        from analytics.subscription_activity
        group by vendor
        order by vendor
    """,
    "reopened": """
        select
            vendor,
            count(*) as n,
            count(*) filter (where is_open) as n_open,
            count(*) filter (where is_disputed) as n_disputed,
            quantile_cont(ended_for_seconds, 0.5) as p50_ended_for,
            quantile_cont(open_again_seconds, 0.5) as p50_open_again
        from analytics.reopened_checks
        group by vendor
        order by vendor
    """,
}


def collect(connection: session.Connection) -> Figures:
    """The rows of every query, by its name."""
    return {name: session.rows(connection, query) for name, query in QUERIES.items()}


def by_vendor_of(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    """The rows of each vendor, vendors and rows in the order they came in."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["vendor"]].append(row)
    return found


class Names:
    """Vendors' own names; a vendor that the warehouse does not know keeps its slug."""

    def __init__(self, figures: Figures) -> None:
        self._names = {row["vendor"]: row["vendor_name"] for row in figures["vendors"]}

    def __getitem__(self, slug: str) -> str:
        return str(self._names.get(slug, slug))

    def column(self) -> html.Column:
        """The column that names the vendor."""
        return html.text("Vendor", "vendor", lambda slug: html.spoken(self[slug] if slug else None))

    def named(self, rows: Iterable[Row]) -> list[Row]:
        """The rows with the vendor's name for its slug."""
        return [{**row, "vendor": self[row["vendor"]]} for row in rows]
