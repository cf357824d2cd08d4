"""Erasure of a person or a check everywhere: landed lines, warehouse, snapshot, Parquet, report, shared state.

What is to be done is sealed into one file before anything is changed, every step may be repeated, and the
file goes last: whoever opens the warehouse next finishes what a crash left. The live warehouse is not changed
but replaced by a new one, computed from what is left, since deleted rows stay in a file as bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import UsageError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.domain import ids
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.orders import spellings
from screening_pipeline.privacy.erasure_intent import (
    Erasure,
    ErasureIntent,
    alone,
    first_column,
    is_pending,
    write_intent,
)
from screening_pipeline.privacy.erasure_steps import finish_intent, record_erasure, register
from screening_pipeline.privacy.forgetting import require_forgetting
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.warehouse.session import Connection


_RUN_ID = "erase"
_CHECK_HASH = "staging.check_hash(vendor, account, subject, check_id)"


def erase_candidate(runtime: Runtime, candidate_ref: str) -> Erasure | None:
    """Erase a person; None where they were erased before and nothing has come since.

    A person known from refused manifest rows alone is put on the suppression list. Raises UsageError for an unknown
    person.
    """
    require_forgetting(runtime.settings)
    key = pseudonym(runtime.key, ids.person_form(candidate_ref))  # as manifests are read
    itself = f"select staging.candidate_hash({quote(key)})"
    theirs = f"candidate_key in ({', '.join(map(quote, _keys(runtime, candidate_ref)))})"
    of_person = f"select vendor, account, subject, check_id from raw.order where {theirs}"
    kept = f"select distinct staging.candidate_hash(candidate_key) from raw.order where {theirs}"

    def is_refused(connection: Connection) -> bool:
        return any(True for _ in spellings.refused_spellings(connection, runtime.settings, candidate_ref))

    return _erase(runtime, "candidate", of_person, itself, itself, kept=kept, is_refused=is_refused)


def _keys(runtime: Runtime, candidate_ref: str) -> list[str]:
    """The pseudonyms of a person in every spelling that any version may have kept, or that a manifest still has."""
    from screening_pipeline.cycle.writing import open_warehouse

    with open_warehouse(runtime) as connection:
        written = set(spellings.spellings(connection, runtime.settings, candidate_ref))
    return sorted({pseudonym(runtime.key, one) for one in (*ids.spellings(candidate_ref), *written)})


def erase_check(runtime: Runtime, vendor: str, check_id: str, account: str | None = None) -> Erasure | None:
    """Erase a check by its id; None where it was erased before and nothing has come since.

    `account` may be one that is not configured any more. Raises UsageError for an unknown vendor, account or check.
    """
    require_forgetting(runtime.settings)
    if account is None:
        try:
            account = runtime.settings.account(vendor).name
        except KeyError:
            problem = f"no one account of {vendor[:40]!a} is configured; name one with --account"
            raise UsageError(problem, code="no_account") from None
    elif vendor not in all_vendors():
        raise UsageError(f"there is no vendor {vendor[:40]!a}; known are {', '.join(all_vendors())}", code="no_vendor")
    names = {"vendor": vendor, "account": account, "check_id": check_id}
    given = ", ".join(f"{quote(value)} as {name}" for name, value in names.items())
    known = catalog.statement("checks_of_id", vendor=quote(vendor), account=quote(account), check_id=quote(check_id))
    subjects = ", ".join(map(quote, all_vendors()[vendor].subjects))
    itself = f"select staging.unspecified_hash(vendor, account, check_id) from (select {given})"
    hashes = "unnest(staging.erased_hashes(vendor, account, subject, check_id))"
    before = f"select {hashes} from (select {given}, unnest([{subjects}]) as subject)"
    return _erase(runtime, "check", known, itself, before)


def _erase(
    runtime: Runtime,
    kind: str,
    known: str,
    itself: str,
    before: str,
    *,
    kept: str = "",
    is_refused: Callable[[Connection], bool] = lambda _: False,
) -> Erasure | None:
    """Erase what `known` finds. `itself` finds the hash of what was named, `before` all that tell of its erasure.

    `kept` finds the hashes of other spellings of it.
    """
    from screening_pipeline.cycle import take_orders
    from screening_pipeline.cycle.writing import open_warehouse
    from screening_pipeline.runtime import plans

    with alone(runtime):
        if is_pending(runtime):
            finish_intent(runtime)
        take_orders.take_orders(runtime, run_id=_RUN_ID)  # what has arrived by now is part of what is known
        with open_warehouse(runtime) as connection:
            plans.prepare(connection, runtime)
            own_hash = first_column(connection, itself)[0]
            _find(connection, known)
            if not first_column(connection, "select 1 from gone"):
                if first_column(connection, f"select pseudonym from staging.erased where pseudonym in ({before})"):
                    return None
                if not is_refused(connection):
                    raise UsageError(f"nothing is known of this {kind}; nothing was erased", code="nothing_known")
            hashes = {own_hash, *(first_column(connection, kept) if kept else ())}
            intent = _intended(runtime, connection, kind, own_hash, hashes)
            write_intent(runtime, intent)
            # Whoever waits for the warehouse takes in the next orders: by then they must know who is kept out.
            with session.transaction(connection):
                record_erasure(connection, intent, completed_at=None)
            register(runtime, intent, completed_at=None)
        finish_intent(runtime)
    return intent.erasure


def _find(connection: Connection, known: str) -> None:
    connection.execute(f"create or replace temp table named as {known}")
    connection.execute(catalog.statement("find_erased"))


def _intended(runtime: Runtime, connection: Connection, kind: str, own_hash: str, others: set[str]) -> ErasureIntent:
    (orders,) = first_column(
        connection, "select count(*) from raw.order where check_key in (select check_key from gone)"
    )
    (responses,) = first_column(connection, catalog.statement("count_erased_responses"))
    checks = connection.execute("select distinct vendor, account, subject, check_id from gone order by all").fetchall()
    now = runtime.clock.now()
    erasure = Erasure(
        erasure_id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        kind=kind,
        pseudonym=own_hash,
        check_count=len(checks),
        response_count=responses,
        order_count=orders,
    )
    hashes = others.union(first_column(connection, f"select {_CHECK_HASH} from gone"))
    return ErasureIntent(erasure, now.isoformat(), checks, sorted(hashes))


# ── the intent ─────────────────────────────────────────────────────────────────────────────────────────


# ── doing it: every step may be repeated ───────────────────────────────────────────────────────────────


# ── the command ────────────────────────────────────────────────────────────────────────────────────────
