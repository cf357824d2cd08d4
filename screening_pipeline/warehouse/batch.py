"""How tables come to be: created empty, filled from a batch, recomputed for the checks a batch touches.

One way serves the increment and the rebuild: the rows of every check that a batch touches are recomputed from
all messages about it. So the order in which responses arrive, and how often, makes no difference.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from screening_pipeline.warehouse import catalog
from screening_pipeline.warehouse.session import literal

if TYPE_CHECKING:
    from screening_pipeline.warehouse.catalog import Relation
    from screening_pipeline.warehouse.session import Connection


LATELY = 500_000
"""Checks that came last, among which nearly all are found that are told of and not open."""


def empty_batch(connection: Connection) -> None:
    """Begin a batch: nothing was read, nobody is touched. Several loads may follow and add up."""
    connection.execute("create or replace temp table batch_touched (check_key bigint, is_late boolean)")
    connection.execute("create or replace temp table batch_response (response_id varchar, received_at timestamptz)")
    connection.execute("create or replace temp table batch_package (package_id varchar)")


def set_key(connection: Connection, part_key: str) -> None:
    """Have the session know the key (hex) of the hashes that stand for people: names in labels, and who was erased."""
    connection.execute(f"set variable part_key = {literal(part_key)}")


def read(connection: Connection) -> None:
    """Read the texts of `landed` as what they are, into `landed_message`; `landed` itself is done with."""
    _refresh_work(connection, "landed_message")
    connection.execute("drop table temp.landed")


def load(connection: Connection) -> None:
    """Append what `landed_message` holds to staging, number checks never seen, and note whom it touches."""
    _number_checks(connection)
    connection.execute("create or replace temp table known_state as select state_key from staging.state")
    _refresh_work(connection, "new_state")
    connection.execute(_NOTE_TOUCHED)
    if connection.execute("from new_state limit 1").fetchone() is not None:
        _interpret(connection)
    for relation in catalog.refreshed("load"):
        _append_all(connection, relation)
    _reject(connection)


def _interpret(connection: Connection) -> None:
    """Append the sets of words in `new_state`, and what they mean."""
    for relation in catalog.relations().values():
        match relation.refresh, relation.key:
            case "work", "state":
                _refresh_work(connection, relation.name)
            case "state", _:
                _append_all(connection, relation)


def _append_all(connection: Connection, relation: Relation) -> None:
    connection.execute(f"insert into {relation.qualified} by name {relation.sql}")


def _refresh_work(connection: Connection, name: str) -> None:
    connection.execute(f"create or replace temp table {name} as {catalog.relations()[name].sql}")


_FIND_CHECKS = """
create or replace temp table batch_id as
select
    vendor, account, subject, check_id,
    staging.id_hash(vendor, account, subject, check_id) as id_hash,
    min(received_at) as seen_at
from (
    select vendor, account, subject, check_id, received_at from landed_message where message_index is not null
    union all
    select vendor, account, asked_subject, asked_check_id, received_at
    from landed_message where asked_subject is not null
)
where subject <> 'package' and check_id is not null
group by vendor, account, subject, check_id;

-- Nearly all are found among the few that are open.
create or replace temp table batch_check as
select o.check_key, b.vendor, b.account, b.subject, b.check_id, b.id_hash
from batch_id as b
inner join staging.open_check as o using (vendor, account, subject, check_id);

create or replace temp table batch_new as from batch_id anti join batch_check using (id_hash);
"""
# The others are looked for among those that came last, and only who is not there among all there ever were.
_FIND_AMONG = """
insert into batch_check
select c.check_key, n.vendor, n.account, n.subject, n.check_id, n.id_hash
from raw.check as c
inner join batch_new as n on c.id_hash = n.id_hash
where c.check_key > {after};

create or replace temp table batch_new as from batch_new anti join batch_check using (id_hash);
"""
_NUMBER_CHECKS = """
insert into raw.check
select
    row_number() over (order by seen_at, vendor, account, subject, check_id)
    + (select coalesce(max(check_key), 0) from raw.check),
    vendor, account, subject, check_id, id_hash, seen_at, false
from batch_new;

insert into batch_check
select c.check_key, c.vendor, c.account, c.subject, c.check_id, c.id_hash
from raw.check as c
inner join batch_new as n on c.id_hash = n.id_hash;
"""


def _number_checks(connection: Connection) -> None:
    connection.execute(_FIND_CHECKS)
    last = connection.execute("select coalesce(max(check_key), 0) from raw.check").fetchone() or (0,)
    for after in (last[0] - LATELY, 0):
        if not _is_any_new(connection):
            return
        connection.execute(_FIND_AMONG.format(after=after))
    if _is_any_new(connection):
        connection.execute(_NUMBER_CHECKS)


def _is_any_new(connection: Connection) -> bool:
    return connection.execute("from batch_new limit 1").fetchone() is not None


_REGISTER_ORDERS = """
insert into raw.check
select
    row_number() over (order by min(n.place)) + (select coalesce(max(check_key), 0) from raw.check),
    n.vendor, n.account, n.subject, n.check_id, n.id_hash, min(n.loaded_at), true
from (
    select
        *, staging.id_hash(vendor, account, subject, check_id) as id_hash,
        row_number() over (order by file, line) as place
    from new_order
) as n
where not exists (select 1 from raw.check as c where n.id_hash = c.id_hash)
group by n.vendor, n.account, n.subject, n.check_id, n.id_hash;

create or replace temp table new_order as
select
    o.* replace (
        c.check_key as check_key,
        row_number() over (order by o.file, o.line) + (select coalesce(max(order_seq), 0) from raw.order) as order_seq
    )
from new_order as o
inner join raw.check as c on c.id_hash = staging.id_hash(o.vendor, o.account, o.subject, o.check_id);

insert into raw.order by name from new_order;

-- An order for a check that only messages had told of: it is a stub no longer.
update raw.check set is_announced = true
where is_announced is false and check_key in (select check_key from new_order);
"""


def register_orders(connection: Connection) -> None:
    """Number the checks of `new_order`, in the order of files and lines, and append it to `raw.order`."""
    connection.execute(_REGISTER_ORDERS)


_REJECT = """
insert into ops.reject by name
select
    response_id as reject_id, if(channel = 'push', 'push', 'response') as source, vendor, account,
    coalesce(asked_check_id, check_id) as check_id, response_id, reject as reason, received_at as rejected_at
from landed_message
where reject is not null and coalesce(message_index, 1) = 1
union all by name
select
    concat(response_id, '/', bad.index + 1) as reject_id, 'message' as source, vendor, account, response_id,
    bad.index + 1 as message_index, bad.reason, received_at as rejected_at
from (
    select response_id, vendor, account, received_at, unnest(message_rejects) as bad
    from landed_message where coalesce(message_index, 1) = 1 and message_rejects is not null
);
"""


def _reject(connection: Connection) -> None:
    connection.execute(_REJECT)


_WHAT_THERE_IS = """
select exists (from new_order) or exists (from batch_package), exists (from touched) or exists (from recounted)
"""


def refresh(connection: Connection) -> set[str]:
    """Recompute every derived row of the checks in `touched`, and the calls of the batch (`recounted`).

    Returns the tables of which rows were written or removed.
    """
    is_packaged, is_touched = connection.execute(_WHAT_THERE_IS).fetchone() or (False, False)
    if not (is_packaged or is_touched):
        return set()
    written = recompute(connection, is_packaged=is_packaged)
    return written | _recount(connection, "inner join touched using (check_key)")


def recompute(connection: Connection, *, is_packaged: bool) -> set[str]:
    """Recompute what is told of the checks in `touched`; of packages only if something new is known of them.

    Returns the tables of which rows were written or removed.
    """
    written: dict[str, int] = {}
    for relation in catalog.relations().values():
        match relation.refresh:
            case "work" if not relation.key:
                _refresh_work(connection, relation.name)
            case "check_key":
                written[relation.qualified] = _replace(connection, relation, "select check_key from touched")
            case "append":
                written[relation.qualified] = _append(connection, relation)
            case "full" if is_packaged:
                written[relation.qualified] = _refill(connection, relation)
    return {name for name, rows in written.items() if rows}


def _recount(connection: Connection, narrowed: str) -> set[str]:
    """Judge the calls in `recounted` anew: they changed something where an event names them.

    `narrowed`: which events to look at, what follows `from star.fact_check_event`.
    """
    connection.execute(
        f"create or replace temp table changed_by as select distinct response_id from star.fact_check_event {narrowed}"
    )
    written: dict[str, int] = {}
    for relation in catalog.refreshed("response"):
        written[relation.qualified] = _replace(connection, relation, "select response_id from recounted where is_known")
    return {name for name, rows in written.items() if rows}


def _replace(connection: Connection, relation: Relation, keys: str) -> int:
    """Put the rows as they are now in the place of those with these keys (a query for one column)."""
    key = keys.split()[1]
    gone = _rows(connection, f"delete from {relation.qualified} where {key} in ({keys})")
    return gone + _rows(connection, f"insert into {relation.qualified} by name {relation.sql}")


def _refill(connection: Connection, relation: Relation) -> int:
    gone = _rows(connection, f"delete from {relation.qualified}")
    return gone + _rows(connection, f"insert into {relation.qualified} by name {relation.sql}")


def _append(connection: Connection, relation: Relation) -> int:
    return _rows(
        connection,
        f"insert into {relation.qualified} by name select * from ({relation.sql}) as n "
        f"where not exists (select 1 from {relation.qualified} as o where n.{relation.key} = o.{relation.key})",
    )


def _rows(connection: Connection, change: str) -> int:
    """Make a change; how many rows it wrote or removed."""
    counted = connection.execute(change).fetchone()
    return int(counted[0]) if counted else 0


# Before the batch is appended: whoever has already been told something later is told something late.
_NOTE_TOUCHED = """
insert into batch_touched
select c.check_key, bool_or(l.received_at <= f.last_received_at) as is_late
from batch_check as c
left join landed_message as l
    on l.vendor = c.vendor and l.account = c.account and l.subject = c.subject and l.check_id = c.check_id
left join (
    select o.check_key, max(o.received_at) as last_received_at
    from staging.observation as o
    inner join batch_check using (check_key)
    group by o.check_key
) as f on c.check_key = f.check_key
group by c.check_key;

insert into batch_package select check_id from landed_message where subject = 'package';
insert into batch_response
select response_id, received_at from landed_message where coalesce(message_index, 1) = 1;
"""

# A late answer may change what later calls brought: then all calls about its check are judged again.
_TOUCH_BATCH = """
create or replace temp table touched as
select check_key from batch_touched
union
select check_key from new_order where check_key is not null;

create or replace temp table recounted as
select *, false as is_known from batch_response
union all
select r.response_id, r.received_at, true as is_known
from staging.response as r
where
    r.check_key in (select check_key from batch_touched where is_late)
    and r.response_id not in (select response_id from batch_response);
"""


def touch_batch(connection: Connection) -> None:
    """Fill `touched` and `recounted` from the batch that was loaded."""
    connection.execute(_TOUCH_BATCH)


def note_unpublished(connection: Connection) -> None:
    """Remember whom the batch touches until a snapshot shows it."""
    connection.execute(
        "insert into staging.unpublished_check from touched; "
        "insert into staging.unpublished_call select response_id, received_at from recounted"
    )


def last_check(connection: Connection) -> int:
    """The number of the check that came last, 0 where there is none."""
    found = connection.execute("select max(check_key) from raw.check").fetchone()
    return int(found[0] or 0) if found else 0


def touch_numbered(connection: Connection, after: int, last: int) -> None:
    """Fill `touched` with the checks of these numbers, and `new_order` with all that was ordered of them."""
    connection.execute(
        "create or replace temp table touched as "
        f"select check_key from raw.check where check_key > {after} and check_key <= {last};"
        "create or replace temp table new_order as from raw.order semi join touched using (check_key)"
    )


def empty_calls(connection: Connection) -> None:
    """Forget how calls were judged."""
    for relation in catalog.refreshed("response"):
        connection.execute(f"delete from {relation.qualified}")


def stretches(connection: Connection, calls: int) -> list[tuple[str, str]]:
    """All time in stretches of about so many calls each, as instants that SQL reads: after the one, until the other."""
    ends = connection.execute(
        "select received_at::varchar from "
        "(select received_at, row_number() over (order by received_at) as place from staging.response) "
        f"where place % {calls} = 0 order by received_at"
    ).fetchall()
    bounds = ["-infinity", *dict.fromkeys(end for (end,) in ends), "infinity"]
    return list(pairwise(bounds))


def recount_between(connection: Connection, since: str, until: str) -> None:
    """Judge the calls of one of the `stretches`, of which none was."""
    connection.execute(
        "create or replace temp table recounted as select response_id, received_at, false as is_known "
        f"from staging.response where received_at > {literal(since)} and received_at <= {literal(until)}"
    )
    _recount(connection, f"where observed_at > {literal(since)} and observed_at <= {literal(until)}")
