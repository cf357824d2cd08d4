"""Example bodies beside the rows they become: `vendors/<slug>/<call>.<situation>.payload.json`.

A payload without its rows has them written on the first run, and its test fails until somebody has read them
and runs it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline_tests.support.stage import MORNING, Row, Stage, channel_of, id_key, is_called_back, opened

EXAMPLES = Path(__file__).parent / "vendors"
CASES = sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*.payload.json"))
NAMES = [case.removesuffix(".payload.json") for case in CASES]
ACCOUNTS = {"hireright": "judged"}

STATE = (
    "subject, check_id, vendor_status, vendor_status_detail, vendor_result, vendor_adjudication, "
    "vendor_dispute, vendor_assessment, vendor_estimated_on, vendor_turnaround_seconds, lifecycle, "
    "lifecycle_reason, result, result_source, adjudication, dispute, next_actor, "
    "is_terminal, is_partial, has_conflict, completed_at, completed_at_earliest, completed_at_source, "
    "closed_at, report_url"
)
INSIDE = {
    "components": "component_name, component_type, vendor_status, vendor_adjudication, vendor_reason, "
    "vendor_turnaround_seconds, lifecycle, result, adjudication from star.fact_check_component",
    "actions": "action_type, next_actor from star.fact_required_action",
    "estimates": "vendor_estimated_on, first_observed_at from star.fact_vendor_estimate",
    "disputes": "opened_at, closed_at from star.fact_dispute",
    "subscription": "is_active, vendor_status, result, started_on, report_check_id from star.fact_subscription",
    "runs": "run_at, vendor_status, result, rewritten_count from star.fact_subscription_run",
    "unmapped": "field, value from ops.unmapped_value",
    "conflicts": "conflict from ops.mapping_conflict",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, dict[str, str]]]:
    with opened(tmp_path_factory) as stage:
        responses = {name: say(stage, name) for name in NAMES}
        stage.settle()
        yield stage, responses


@pytest.mark.parametrize("name", NAMES)
def test_an_example_becomes_its_rows(told: tuple[Stage, dict[str, str]], name: str) -> None:
    stage, responses = told
    seen = rows(stage, responses[name])
    golden = EXAMPLES / f"{name}.rows.json"
    if not golden.exists():
        golden.write_text(json.dumps(seen, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        pytest.fail(f"{golden.name} was missing and is written now: read it, then run this again")
    assert seen == json.loads(golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("slug", all_vendors())
def test_every_call_of_a_vendor_has_an_example(slug: str) -> None:
    calls = {e.name for e in vendor(slug).endpoints if e.subject or e.is_list or e.is_destructive}
    assert calls <= {name.split("/")[1].split(".")[0] for name in NAMES if name.startswith(f"{slug}/")}


def say(stage: Stage, name: str) -> str:
    """Have an example arrive as the answer to the call that its name begins with; the response's id."""
    slug, _, case = name.partition("/")
    call = case.split(".")[0]
    body = json.loads((EXAMPLES / f"{name}.payload.json").read_text(encoding="utf-8"))
    landed = stage.land(
        received_at=MORNING,
        vendor=slug,
        account=ACCOUNTS.get(slug, "main"),
        endpoint=call,
        channel=channel_of(slug, call),
        body=body,
        **asked(slug, call, case, body),
    )
    return landed.response_id


def asked(slug: str, call: str, case: str, body: Any) -> dict[str, str]:
    """What a call by id, or a message to an address of its own, is about."""
    if call == "push" and is_called_back(slug):
        return {"subject": vendor(slug).default_subject, "check_id": case}
    subject = next((e.subject for e in vendor(slug).endpoints if e.name == call), None)
    if subject is None:
        return {}
    return {"subject": subject, "check_id": body.get(id_key(slug, subject), case)}


def rows(stage: Stage, response_id: str) -> Any:
    """Everything the warehouse made of one response, without what is null or empty."""
    found = stage.rows(
        f"select check_key, {STATE} from star.fact_check where check_key in ("
        f"select check_key from star.fact_check_event where response_id = '{response_id}' union "
        f"select check_key from staging.observation where response_id = '{response_id}' union "
        f"select check_key from star.fact_pull where response_id = '{response_id}') order by check_id"
    )
    told = {
        "outcome": [r["outcome"] for r in stage.rows(f"from star.fact_pull where response_id = '{response_id}'")],
        "rejects": [r["reason"] for r in stage.rows(f"from ops.reject where response_id = '{response_id}'")],
        "checks": [with_its_parts(stage, check) for check in found],
    }
    return json.loads(json.dumps(without_empty(told), default=str))


def with_its_parts(stage: Stage, check: Row) -> Row:
    """A check's state with everything that belongs to it, in place of its number."""
    key = check.pop("check_key")
    inside = {
        name: stage.rows(f"select {selection} where check_key = {key} order by all")
        for name, selection in INSIDE.items()
    }
    return check | inside


def without_empty(value: Any) -> Any:
    """The same without keys whose values are null, false or empty lists."""
    if isinstance(value, dict):
        return {k: without_empty(v) for k, v in value.items() if v is not None and v is not False and v != []}
    return [without_empty(item) for item in value] if isinstance(value, list) else value
