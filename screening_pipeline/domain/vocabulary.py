"""The words on every axis, and the columns a message is made of."""

from __future__ import annotations

from typing import Any

LIFECYCLES = (
    "created",
    "pending",
    "awaiting_candidate",
    "awaiting_client",
    "awaiting_vendor",
    "in_progress",
    "paused",
    "review_required",
    "completed",
    "canceled",
    "expired",
    "declined",
    "unknown",
)
RESULTS = ("clear", "consider", "referred", "none", "unknown")
ADJUDICATIONS = (
    "not_expected",
    "not_exposed",
    "pending",
    "meets",
    "does_not_meet",
    "pre_adverse",
    "final_adverse",
    "reviewed_unspecified",
    "canceled",
    "custom",
    "unknown",
)
DISPUTES = ("none", "open", "closed", "unknown")
NEXT_ACTORS = ("candidate", "client", "vendor", "client_or_candidate", "none", "unknown")
SUBJECTS = ("report", "subscription", "order", "i9", "request", "check", "invitation", "continuous_check")
ONGOING = ("subscription", "continuous_check")
"""The subjects that are for years: a schedule says when to look, not the chance of news."""

# The verbatim fields of one message; every other column of a record is a fact about it (times, links, parts).
WORDS = ("vendor_status", "vendor_status_detail", "vendor_result", "vendor_adjudication", "vendor_dispute")
FACTS = (
    "vendor_time",  # when the vendor says this state began, or was completed
    "is_active",  # subscriptions
    "started_on",
    "report_check_id",
    "report_url",
    "has_attachment",
    "package_name",  # of a vendor's list of packages
    "vendor_assessment",  # what the customer's own rules at the vendor make of it, verbatim
    "vendor_estimated_on",  # the day on which the vendor thinks that it will be complete
    "vendor_turnaround_seconds",  # how long it took, as the vendor counts
    "candidate_ref",  # whom it is about: what order files say too, where the vendor tells it
    "order_package",  # what was ordered
    "order_time",  # when
    "continues_id",  # the id of what led to it: the two are one check
)
PART_COLUMNS = ("name", "type", "type_fallback", "status", "result", "adjudication", "reason", "turnaround_seconds")
RUN_COLUMNS = ("run_at", "status")


Json = Any
"""A decoded JSON value: dict, list, str, int, float, bool or None."""


Message = dict[str, Json]


class Announcement(dict[str, Json]):
    """A message that names a check and says nothing of its state: one pull will tell."""
