"""Each vendor's asset called as a function, with one scripted answer: how a test of an asset is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from screening_pipeline.orchestration import assets, pulling
from screening_pipeline.orchestration.pulling import PullConfig
from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.support.scripted import scripted

pytestmark = dagster_words

# Dagster types what calling an asset returns as an object.
pull: Any = pulling.pull
raw_order: Any = assets.raw_order


def made(results: list[Any]) -> dict[str, Any]:
    """What was made, by asset, with the number of calls that it took."""
    found = (one for one in results if isinstance(one, dg.MaterializeResult))
    return {one.asset_key.to_user_string(): one.metadata["calls"] for one in found if one.asset_key and one.metadata}


def test_goodhire(tmp_path: Path) -> None:
    body = {"Id": "r1", "Status": "Processing"}
    with scripted("goodhire", tmp_path, "r1", body) as screening:
        results = list(pull(dg.build_asset_context(), PullConfig(accounts=["goodhire/sandbox"]), screening))
    assert made(results)["goodhire/report"] == 1


def test_hireright(tmp_path: Path) -> None:
    body = {"orderId": "HR-1", "orderStatus": "InProgress"}
    with scripted("hireright", tmp_path, "HR-1", body) as screening:
        results = list(pull(dg.build_asset_context(), PullConfig(accounts=["hireright/sandbox"]), screening))
    assert made(results)["hireright/order_status"] == 1


def test_zinc(tmp_path: Path) -> None:
    body = {"id": "z1", "status": "pending", "statusV2": "awaiting-candidate"}
    with scripted("zinc", tmp_path, "z1", body) as screening:
        results = list(pull(dg.build_asset_context(), PullConfig(accounts=["zinc/sandbox"]), screening))
    assert made(results)["zinc/results"] == 1


def test_workerchecks(tmp_path: Path) -> None:
    body = {"checkId": "417", "status": "Pending"}
    with scripted("workerchecks", tmp_path, "417", body) as screening:
        results = list(pull(dg.build_asset_context(), PullConfig(accounts=["workerchecks/sandbox"]), screening))
    assert made(results)["workerchecks/results"] == 1


def test_workable(tmp_path: Path) -> None:
    body = {"results_url": "https://provider.example/1", "status": "pending"}
    with scripted("workable", tmp_path, "w1", body) as screening:
        results = list(pull(dg.build_asset_context(), PullConfig(accounts=["workable/sandbox"]), screening))
    assert made(results)["workable/checks"] == 1


def test_checkr(tmp_path: Path) -> None:
    body = {"id": "4722c07dd9a10c3985ae0012", "object": "report", "status": "pending"}
    with scripted("checkr", tmp_path, "4722c07dd9a10c3985ae0012", body) as screening:
        results = list(pull(dg.build_asset_context(), PullConfig(accounts=["checkr/sandbox"]), screening))
    assert made(results)["checkr/report"] >= 1


def test_every_vendor_has_its_test() -> None:
    assert {f"test_{slug}" for slug in all_vendors()} <= set(globals())


def test_the_orders(tmp_path: Path) -> None:
    with scripted("zinc", tmp_path, "z1", {}) as screening:
        (tmp_path / "orders" / "a.csv").write_text("vendor,check_id\nzinc,z1\n")
        result = raw_order(dg.build_asset_context(), screening)
    assert result.metadata == {"files": 1, "orders": 1, "rejects": 0}


def test_an_asset_alone_is_materialized_with_what_it_was_answered(tmp_path: Path) -> None:
    body = {"id": "z1", "status": "pending", "statusV2": "awaiting-candidate"}
    with scripted("zinc", tmp_path, "z1", body) as screening:
        done = dg.materialize([pull], selection=["zinc/results"], resources={"screening": screening})
    assert [e.asset_key.path for e in done.get_asset_materialization_events() if e.asset_key] == [["zinc", "results"]]
    assert [e.passed for e in done.get_asset_check_evaluations()] == [True]


@pytest.mark.parametrize(("status", "severity"), [(403, dg.AssetCheckSeverity.ERROR), (404, None)])
def test_what_was_refused_is_not_made_and_a_stopped_account_is_an_error(
    tmp_path: Path, status: int, severity: dg.AssetCheckSeverity | None
) -> None:
    with scripted("zinc", tmp_path, "z1", {}, status=status) as screening:
        results = list(pull(dg.build_asset_context(), PullConfig(accounts=["zinc/sandbox"]), screening))
    assert "zinc/results" not in made(results)
    checks = [one for one in results if isinstance(one, dg.AssetCheckResult)]
    of_zinc = [check for check in checks if check.asset_key == dg.AssetKey(["zinc", "results"])]
    assert [None if check.passed else check.severity for check in of_zinc] == [severity]
