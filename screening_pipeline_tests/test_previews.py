"""What Dagster shows of tables names nobody, wherever a vendor or an order file puts a name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from screening_pipeline.orchestration import metadata
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog
from screening_pipeline_tests.support.stage import MORNING, channel_of, opened
from screening_pipeline_tests.test_vendor_examples import ACCOUNTS, EXAMPLES, NAMES, asked

PERSON = "CANARY Testperson"
FREE = ("package", "country", "region", "cost_center", "tags", "candidate_ref")
SHOWN = ("raw", "star", "ops", "analytics")


def spoiled(body: Any) -> Iterator[Any]:
    """The body again and again, each time with the name in place of another text; at last with a key so named."""
    for place in list(texts(body)):
        yield changed(body, place)
    if isinstance(body, dict):
        yield {**body, PERSON: PERSON}


def texts(body: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inner:
        yield from texts(value, (*place, key))
    if isinstance(body, str):
        yield place


def changed(body: Any, place: tuple[Any, ...], told: str = PERSON) -> Any:
    copy = json.loads(json.dumps(body))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    if not place:
        return told
    inner[place[-1]] = told
    return copy


def test_no_preview_shows_what_a_vendor_or_an_order_file_wrote(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "PREVIEW_ROWS", 1_000_000)  # any row may be among the first ones
    with opened(tmp_path_factory) as stage:
        for name in NAMES:
            slug, _, case = name.partition("/")
            call = case.split(".")[0]
            for body in spoiled(json.loads((EXAMPLES / f"{name}.payload.json").read_text(encoding="utf-8"))):
                told = body if isinstance(body, dict) else {}
                stage.land(
                    received_at=MORNING,
                    vendor=slug,
                    account=ACCOUNTS.get(slug, "main"),
                    endpoint=call,
                    channel=channel_of(slug, call),
                    body=body,
                    **asked(slug, call, case, told),
                )
        for slug in all_vendors():
            stage.story(f"{slug}-ordered").of(slug).order(**{**dict.fromkeys(FREE, PERSON), "tags": {PERSON: PERSON}})
        stage.settle()
        assert len(stage.rows('select distinct vendor from raw."order" where tags is not null')) == len(all_vendors())
        held, shown = "", ""
        for relation in catalog.relations().values():
            if relation.schema in SHOWN and relation.refresh != "macro":
                held += str(stage.rows(f"from {relation.qualified}"))
                shown += str(metadata.table_metadata(stage.connection, relation)["preview"])
        assert "CANARY" in held
        assert "CANARY" not in shown
        assert "completed" in shown
