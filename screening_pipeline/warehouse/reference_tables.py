"""What the warehouse knows before any vendor has spoken: the tables of `reference`, filled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog, reference, schema, session
from screening_pipeline.warehouse.batch import expect, name_notations

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


def fill_reference(connection: Connection, settings: Settings) -> None:
    """Inside a transaction: put there what configuration, mapping and calendars say now, in place of what they said."""
    session.replace(connection, "star.dim_vendor", reference.vendors())
    session.replace(connection, "star.dim_vendor_status", reference.mapping())
    session.replace(connection, "staging.trait", reference.message_semantics())
    session.replace(connection, "star.dim_account", reference.accounts(settings))
    schema.name_zones(connection)
    session.replace(connection, "staging.account", reference.account_rules(settings))
    name_notations(connection)
    expect(connection)
    session.replace(connection, "staging.alias", reference.aliases(settings))
    session.replace(connection, "star.dim_sla_target", reference.sla_targets(settings))
    session.replace(connection, "star.dim_setting", reference.analysis_settings(settings))
    connection.execute("delete from star.dim_calendar")
    fill_calendars(connection, reference.calendars(settings))


def fill_calendars(connection: Connection, codes: Iterable[str]) -> None:
    """Append every day of these calendars to `star.dim_calendar`."""
    for code in codes:
        days = ", ".join(quote(day.isoformat()) for day in sorted(reference.holidays(code)))
        first, last = quote(reference.FIRST_DAY.isoformat()), quote(reference.LAST_DAY.isoformat())
        connection.execute(catalog.statement("fill_calendar", code=quote(code), first=first, last=last, holidays=days))
