"""Checkr: reports with screenings, the invitations that lead to them, subscriptions, continuous checks, thin pushes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from screening_pipeline.domain.conduct import LimitHeaders, Push, Sandbox
from screening_pipeline.domain.declaration import PACKAGE, Auth, Endpoint, Pages, Parts, Record, Vendor
from screening_pipeline.domain.durations import MINUTE, Prior
from screening_pipeline.domain.vocabulary import Announcement, Json, Message

# What a report can have embedded, and the kind of screening that it is.
SCREENINGS = {
    "ssn_trace": "ssn_trace",
    "arrest_search": "arrest_search",
    "county_civil_searches": "county_civil_search",
    "county_criminal_searches": "county_criminal_search",
    "credit_report": "credit_report",
    "drug_alcohol_clearinghouse": "drug_alcohol_clearinghouse",
    "drug_screening": "drug_screening",
    "education_verification": "education_verification",
    "employment_verification": "employment_verification",
    "eviction_search": "eviction_search",
    "facis_search": "facis_search",
    "federal_civil_search": "federal_civil_search",
    "federal_criminal_search": "federal_criminal_search",
    "global_watchlist_search": "global_watchlist_search",
    "international_adverse_media_searches": "international_adverse_media_search",
    "international_criminal_searches": "international_criminal_search",
    "international_criminal_searches_v2": "international_criminal_search",
    "international_education_verification": "international_education_verification",
    "international_employment_verification": "international_employment_verification",
    "international_global_watchlist_search": "international_global_watchlist_search",
    "international_identity_document_validation": "international_identity_document_validation",
    "motor_vehicle_report": "motor_vehicle_report",
    "municipal_criminal_searches": "municipal_criminal_search",
    "national_criminal_search": "national_criminal_search",
    "occupational_health_screening": "occupational_health_screening",
    "personal_reference_verifications": "personal_reference_verification",
    "pointer_state_criminal_searches": "pointer_state_criminal_search",
    "professional_license_verifications": "professional_license_verification",
    "professional_reference_verifications": "professional_reference_verification",
    "sex_offender_search": "sex_offender_search",
    "state_criminal_searches": "state_criminal_search",
    "terrorist_watchlist_search": "terrorist_watchlist_search",
}
PART = ("id", "status", "result", "cancellation_reason", "turnaround_time")
SUBJECTS = ("report", "invitation", "subscription", "continuous_check")
# Of a continuous check nothing but its being there is told: it has no status, so it never comes with one.
_WITHOUT_STATUS = "continuous_check"
# What is looked for continuously. Of another kind nobody knows whether being there means enrolled.
_ENROLLED = ("criminal", "mvr")


def reshape(endpoint: str, body: Json) -> list[tuple[str, Message]]:
    """Split a body into messages in the documented shape: an event holds what it is about, or only names it."""
    if not isinstance(body, dict):
        raise ValueError("not_an_object")
    match endpoint:
        case "push":
            return list(_told(body))
        case "candidates":
            return list(_reports_of(body))
        case "invitations" | "subscriptions":
            subject = endpoint.removesuffix("s")
            return [told for item in _items(body) for told in _with_report(subject, item)]
    return list(_with_report(endpoint, body))


def _with_report(subject: str, body: Message) -> Iterator[tuple[str, Message]]:
    """A message, and that of the report to which an invitation led: it is known from then on."""
    yield subject, _shaped(subject, body)
    if subject == "invitation" and body.get("report_id"):
        yield "report", Announcement(id=body["report_id"], continues=body.get("id"))


def _items(page: Message) -> list[Message]:
    items = page.get("data")
    if not isinstance(items, list):
        raise ValueError("no_list")
    return [item for item in items if isinstance(item, dict)]


def _reports_of(page: Message) -> Iterator[tuple[str, Message]]:
    """The reports about each candidate, who is known by the customer's own id where there is one."""
    for candidate in _items(page):
        known_as = candidate.get("custom_id") or candidate.get("id")
        for report_id in candidate.get("report_ids") or ():
            yield "report", Announcement(id=report_id, candidate_ref=known_as)


def _told(event: Message) -> Iterator[tuple[str, Message]]:
    """What an event is about. What is no check of ours (a candidate, a package) is kept and says nothing."""
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    if not isinstance(about, dict):
        raise ValueError("no_object")
    kind = str(about.get("object", "")).removeprefix("test_")
    if kind in SUBJECTS:
        is_thin = kind == _WITHOUT_STATUS or "status" not in about
        yield from [(kind, Announcement(id=about.get("id")))] if is_thin else _with_report(kind, about)
    elif kind == "adverse_action" and about.get("report_id"):
        yield "report", Announcement(id=about["report_id"])


def _shaped(subject: str, body: Message) -> Message:
    match subject:
        case "report":
            screenings = list(_screenings(body))
            partial = {"partial": "includes_canceled"} if body.get("includes_canceled") is True else {}
            return {**body, **partial, **({"screenings": screenings} if screenings else {})}
        case "invitation" if body.get("deleted_at") and body.get("status") == "pending":
            return {**body, "deletion": "deleted"}
        case "subscription" if body.get("status") in ("active", "inactive"):
            return {**body, "is_active": body["status"] == "active"}
        case "continuous_check" if body.get("type") in _ENROLLED:
            return {**body, "is_active": True}
    return body


def _screenings(body: Message) -> Iterator[Message]:
    """The embedded screenings with their kind; those of one kind in the order in which they were made."""
    for key, kind in SCREENINGS.items():
        found = [part for part in _listed(body.get(key)) if isinstance(part, dict)]
        for part in sorted(found, key=lambda part: str(part.get("id", ""))):
            yield {"type": kind, **{name: part.get(name) for name in PART}}


def _listed(value: Json) -> list[Json]:
    """One embedded screening, a list of them, or an object that holds the list."""
    if isinstance(value, Mapping):
        inner = value.get("data")
        return inner if isinstance(inner, list) else [value]
    return value if isinstance(value, list) else []


def _discovering(name: str, *, fresh: str) -> Endpoint:
    """A list that shows ids nobody has ordered; `fresh` narrows it to what may be new."""
    return Endpoint(
        name=name,
        path=f"/{name}",
        is_list=True,
        is_discovering=True,
        pages=Pages(fresh=fresh),
        schedule="10 * * * *",
    )


VENDOR = Vendor(
    slug="checkr",
    title="Checkr",
    documentation="https://docs.checkr.com/",
    base_url="https://api.checkr.com/v1",
    calendar="US",
    timezone="UTC",
    # The secret key is the user name, and there is no password.
    auth={"basic": Auth(scheme="basic", secrets=("api_key",))},
    requests_per_minute=1200,
    is_limit_published=True,
    limit_headers=LimitHeaders(limit="x-ratelimit-limit", remaining="x-ratelimit-remaining", reset="x-ratelimit-reset"),
    max_concurrency=16,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="report", path=f"/reports/{{id}}?include={','.join(SCREENINGS)}", subject="report"),
        # One that was deleted is told of only where that is asked for.
        Endpoint(name="invitation", path="/invitations/{id}?include_deleted=true", subject="invitation"),
        Endpoint(name="subscription", path="/subscriptions/{id}", subject="subscription", schedule="5 * * * *"),
        Endpoint(
            name="continuous_check", path="/continuous_checks/{id}", subject="continuous_check", schedule="5 * * * *"
        ),
        Endpoint(name="packages", path="/packages", is_list=True, pages=Pages(), schedule="45 5 * * *"),
        # Reports are shown by the people they are about; nothing lists them, or those that continuous checks bring.
        _discovering("candidates", fresh="created_after={since}"),
        _discovering("invitations", fresh="status=pending"),
        _discovering("subscriptions", fresh="created_after={since}"),
    ),
    default_subject="report",
    # Pushes are signed with the key that calls are made with.
    push=Push(header="X-Checkr-Signature", scheme="hmac_sha256", secrets=("api_key",)),
    prior=Prior(first_pull_seconds=15 * MINUTE),
    sandbox=Sandbox(path="/checkr/v1", is_adjudicated=True),
    records={
        # Orders name a package by its slug.
        "package": Record(id=("slug", "id"), required=("name",), columns=PACKAGE.columns),
        "report": Record(
            id="id",
            required=("status",),
            continues="invitation",
            detail_role="limits",
            time_means="completion",
            columns={
                "vendor_status": "status",
                "vendor_status_detail": "partial",
                "vendor_result": "result",
                "vendor_adjudication": "adjudication",
                "vendor_assessment": "assessment",
                "vendor_time": "completed_at",
                "vendor_estimated_on": "estimated_completion_time",
                "vendor_turnaround_seconds": "turnaround_time",
                "continues_id": "continues",
                "candidate_ref": "candidate_ref",
                "order_package": "package",
                "order_time": "created_at",
            },
            components=Parts(
                at="screenings",
                columns={
                    "type": "type",
                    "status": "status",
                    "result": "result",
                    "reason": "cancellation_reason",
                    "turnaround_seconds": "turnaround_time",
                },
            ),
        ),
        "invitation": Record(
            id="id",
            required=("status",),
            columns={"vendor_status": ("deletion", "status"), "order_package": "package", "order_time": "created_at"},
        ),
        "subscription": Record(
            id="id",
            required=("status",),
            result_from="status",
            columns={"vendor_status": "status", "is_active": "is_active", "started_on": "start_date"},
        ),
        "continuous_check": Record(
            id="id",
            required=("type",),
            result_from="status",
            columns={"vendor_status": "type", "is_active": "is_active"},
        ),
    },
    reshape=reshape,
    adjudication_default="not_expected",
    never_store=(
        # Of the people: nobody here has a use for more than their ids, and lists show everybody.
        *("**.FirstName", "**.MiddleName", "**.LastName", "**.FullName", "**.MotherMaidenName"),
        *("**.Email", "**.Phone", "**.Zipcode", "**.Address", "**.Addresses", "**.PostalAddress"),
        # What a screening found, and by which address it was led there.
        *("**.Records", "**.FilteredByPositiveAdjudicationRecords", "**.ScreeningPointers", "**.Aliases"),
        *("**.DriverLicenseState", "**.PreviousDriverLicenseNumber", "**.PreviousDriverLicenseState"),
        *("**.LicenseNumber", "**.LicenseState", "**.PreviousLicenseNumber", "**.PreviousLicenseState"),
        *("**.LicenseReports", "**.Accidents", "**.Violations", "**.Suspensions"),
    ),
    sandbox_hosts=("*.checkr-staging.com",),
    error_shape=("error", "errors"),
    unverified=("whether resources that a report does not have may be asked for in include",),
)
