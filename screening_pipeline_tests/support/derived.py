"""What follows from rows of facts that were put in by hand: computed by the program's own SQL."""

from __future__ import annotations

from screening_pipeline.warehouse import catalog, session

# What the work tables of a batch read, made of the rows that are there. Cases need not give a check its number.
_GIVEN = {
    "current_check": "select * replace (rowid as check_key) from star.fact_check",
    "concerned": "select check_key, any_value(vendor) as vendor, any_value(account) as account from ("
    "select check_key, vendor, account from star.fact_check union all "
    "select check_key, vendor, account from star.fact_check_event union all "
    "select check_key, vendor, account from star.fact_check_component) group by check_key",
    "sequence": "select rowid as message_number, check_key, channel, observed_at as received_at, occurred_at "
    "from star.fact_check_event",
    "applied": "select rowid as message_number, check_key, observed_at_earliest as previous_observed_at, "
    "true as is_change from star.fact_check_event",
    "touched_message": "select check_key, received_at, 'pull' as channel, false as is_of_beginning "
    "from star.fact_pull where outcome in ('changed', 'unchanged')",
    "shown_part": "from star.fact_check_component",
}
# Columns of facts, by the work table that has them and by how its rows are found.
_COLUMNS = (
    (
        "star.fact_check",
        "check_day",
        "f.rowid = d.check_key",
        ("ordered_on", "ordered_day", "ended_on", "ended_day", "ended_day_earliest"),
    ),
    (
        "star.fact_check_event",
        "change_lateness",
        "f.rowid = d.message_number",
        ("seconds_late_least", "seconds_late_most", "business_days_late"),
    ),
    (
        "star.fact_check_component",
        "part_day",
        "f.check_key = d.check_key and f.component_id = d.component_id",
        ("seen_before_at", "completed_day", "seen_before_day"),
    ),
)
_TABLES = ("star.fact_turnaround", "star.fact_check_phase")
_WORK = ("check_day", "change_lateness", "part_look", "part_day", "phase_clock", "phase_stretch")


def derive(connection: session.Connection) -> None:
    """Compute the derived columns of checks, changes and parts that are there, then the tables made of them."""
    for name, query in _GIVEN.items():
        connection.execute(f"create or replace temp table {name} as {query}")
    for name in _WORK[:4]:
        _work(connection, name)
    for table, name, is_same, columns in _COLUMNS:
        given = ", ".join(f"{column} = d.{column}" for column in columns)
        connection.execute(f"update {table} as f set {given} from temp.{name} as d where {is_same}")
    for name in _WORK[4:]:
        _work(connection, name)
    for name in _TABLES:
        connection.execute(f"delete from {name}; insert into {name} by name {catalog.relations()[name].sql}")
    for name in (*_GIVEN, *_WORK):
        connection.execute(f"drop table temp.{name}")


def _work(connection: session.Connection, name: str) -> None:
    connection.execute(f"create or replace temp table {name} as {catalog.relations()[name].sql}")
