"""Dagster jobs: a whole cycle, a recheck, orders, a publication."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.vocabulary import ONGOING
from screening_pipeline.orchestration.installation import prefixed
from screening_pipeline.orchestration.keys import RAW_ORDER, SNAPSHOT, call_key, call_keys, pulled_endpoints, run_tags
from screening_pipeline.orchestration.retention_job import retention_job
from screening_pipeline.orchestration.rules import rule_specs
from screening_pipeline.vendors import all_vendors

# A selection brings every check of its assets; the rules of tables the step of the star tries itself, as they need it,
# and tells of the tables that have changed: to announce each of them in each run costs as much as all else together.
RULES = dg.AssetSelection.checks(*(spec.key for spec in rule_specs()))
TABLES = dg.AssetSelection.groups(prefixed("star"))
CYCLE = dg.AssetSelection.assets(SNAPSHOT).upstream() - TABLES - RULES
DOWNSTREAM = CYCLE - dg.AssetSelection.groups(*map(prefixed, all_vendors()))
FROM_LANDED = DOWNSTREAM - dg.AssetSelection.assets(RAW_ORDER)
sync = dg.define_asset_job(
    "sync",
    selection=CYCLE,
    description="One cycle: orders in, every check that is due asked for, answers into the star, snapshot published.",
    tags=run_tags("sync"),
)


def calls(vendor: Vendor, *, is_by_id: bool, subjects: Sequence[str] | None = None) -> list[dg.AssetKey]:
    """The asset keys of a vendor's calls by id, or (`is_by_id` false) of its feeds and lists."""
    return [
        call_key(vendor, e)
        for e in pulled_endpoints(vendor)
        if e.is_by_id is is_by_id and (subjects is None or e.subject in subjects)
    ]


def recheck_keys(vendor: Vendor) -> list[dg.AssetKey]:
    """The asset keys that a recheck job pulls: checks by id. What is ongoing, feeds and lists are scheduled."""
    subjects = [s for s in vendor.subjects if s not in ONGOING]
    return calls(vendor, is_by_id=True, subjects=subjects)


# What the run of the sensor asks: of every vendor the checks that are due, and its lists on the way. Feeds have a run
# of their own, which stays.
_ASKED = dg.AssetSelection.assets(
    *(call_key(v, e) for v in all_vendors().values() for e in pulled_endpoints(v) if not e.is_destructive)
)
recheck_job = dg.define_asset_job(
    "recheck",
    selection=_ASKED | FROM_LANDED,
    description="Asks every account for checks that are due, as long as any is, and settles what they say meanwhile.",
    tags=run_tags("recheck"),
)


# Where machines share what is landed: many runs ask, each some accounts, and one a minute merges.
shard_job = dg.define_asset_job(
    "recheck_shard",
    selection=_ASKED,
    description="Asks some accounts for checks that are due, as long as any is, and leaves what they say to the merge.",
    tags=run_tags("recheck"),
)


def _recheck_job(vendor: Vendor) -> Any:
    return dg.define_asset_job(
        f"{vendor.slug}_recheck_job",
        selection=dg.AssetSelection.assets(*recheck_keys(vendor)) | FROM_LANDED,
        description=f"Asks {vendor.title} for checks that are due and brings what it says into the star.",
        tags=run_tags("recheck"),
    )


def _pull_job(vendor: Vendor) -> Any:
    return dg.define_asset_job(
        f"{vendor.slug}_pull_job",
        selection=dg.AssetSelection.assets(*call_keys(vendor)) | DOWNSTREAM,
        description=f"Reads new orders, asks {vendor.title} for whatever is due, brings what it says into the star.",
        tags=run_tags("pull"),
    )


PULL_JOBS = {vendor.slug: _pull_job(vendor) for vendor in all_vendors().values()}

order_job = dg.define_asset_job(
    "read_orders",
    selection=DOWNSTREAM,
    description="Reads new manifests; the checks they announce are asked for by the recheck sensor.",
    tags=run_tags("orders"),
)


publish_job = dg.define_asset_job(
    "publish",
    selection=FROM_LANDED,
    description="Brings what was landed into the star and replaces the snapshot.",
    tags=run_tags("publish"),
)


RECHECKS = {vendor.slug: _recheck_job(vendor) for vendor in all_vendors().values()}


JOBS = [sync, recheck_job, shard_job, order_job, publish_job, retention_job, *RECHECKS.values(), *PULL_JOBS.values()]
