"""Any provider that implements Workable's background-check contract."""

from __future__ import annotations

from collections.abc import Iterator

from screening_pipeline.domain.conduct import Push, Sandbox
from screening_pipeline.domain.declaration import PACKAGE, Auth, Endpoint, Parts, Record, Vendor
from screening_pipeline.domain.vocabulary import Json, Message

WITHIN = " / "
"""Between the name of a group and that of a part in it."""

# Words of which the names of parts are made; one that is made of others may be somebody's.
GENERIC = (
    *("criminal", "civil", "felony", "misdemeanor", "court", "federal", "national", "state", "county", "district"),
    *("local", "international", "global", "motor", "vehicle", "report", "mvr", "driver", "license", "licence"),
    *("education", "employment", "professional", "credential", "reference", "references", "identity", "address"),
    *("credit", "bankruptcy", "drug", "test", "health", "social", "security", "ssn", "trace", "sex", "offender"),
    *("registry", "watchlist", "sanctions", "search", "check", "screening", "verification", "background", "basic"),
    *("work", "right", "to", "of", "and"),
)


def reshape(endpoint: str, body: Json) -> list[tuple[str, Message]]:
    """K4: `check.result` is free: values, objects with a status, or groups of either, as a list or an object."""
    if not isinstance(body, dict):
        raise ValueError("not_an_object")
    check = body.get("check")
    if isinstance(check, dict) and not _is_plain(check.get("result")):
        body = {**body, "check": {**check, "result": list(_parts_of(check["result"]))}}
    if isinstance(body.get("attachments"), list) and body["attachments"]:
        body = {**body, "has_attachment": True}
    return [("check", body)]


def _is_plain(result: Json) -> bool:
    """Whether there is nothing, or a list of names with their status, as it is read."""
    if result is None:
        return True
    return isinstance(result, list) and all(isinstance(part, dict) and _is_named_status(part) for part in result)


def _is_named_status(part: Message) -> bool:
    return isinstance(part.get("name"), str) and isinstance(part.get("status"), str) and "value" not in part


def _parts_of(result: Json, label: str | None = None) -> Iterator[Message]:
    """The parts inside, each as a name and what stands there. What is no text costs that part and no other."""
    if isinstance(result, list):
        for element in result if label is None else ():
            if isinstance(element, dict):
                yield from _parts_of_object(element, _text(element.get("name")), left_out=("name",))
    elif isinstance(result, dict):
        yield from _parts_of_object(result, label)
    elif isinstance(result, str) and label is not None:
        yield {"name": label, "value": result}


def _parts_of_object(given: Message, label: str | None, left_out: tuple[str, ...] = ()) -> Iterator[Message]:
    """One part where there is a status, else a group whose leaves are the parts."""
    if label is not None and "status" in given:
        yield {"name": label, "status": _text(given["status"]) or ""}
    elif "status" in given and left_out:
        yield {"status": _text(given["status"]) or ""}
    else:
        for key, value in given.items():
            if key not in left_out:
                yield from _parts_of(value, key if label is None else f"{label}{WITHIN}{key}")


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


VENDOR = Vendor(
    slug="workable",
    title="Workable contract",
    documentation="https://workable.readme.io/",
    base_url="https://provider.example/v1",
    calendar="US",
    timezone="UTC",
    auth={"bearer": Auth(scheme="bearer", secrets=("token",))},
    requests_per_minute=20,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="checks", path="/checks/{id}", subject="check"),
        Endpoint(name="packages", path="/packages", is_list=True, schedule="30 5 * * *"),
    ),
    default_subject="check",
    # K: the body of a callback does not say which check it is about.
    push=Push(header="Authorization", scheme="bearer", secrets=("webhook_token",), names_check_in_path=True),
    sandbox=Sandbox(path="/workable/v1"),
    records={
        "package": PACKAGE,
        "check": Record(
            # K10: the documented body carries no id; where a provider sends one it must be the one asked for.
            id=("id", "check_id", "background_check_id"),
            is_id_required=False,
            created_id=("background_check_id", "id", "check_id"),
            required=("status",),
            columns={
                "vendor_status": "status",
                "vendor_result": "check.overall_status",
                "report_url": "results_url",
                "has_attachment": "has_attachment",
            },
            components=Parts(at="check.result", columns={"name": "name", "status": "status", "result": "value"}),
            has_free_form_parts=True,
            generic_labels=GENERIC,
        ),
    },
    reshape=reshape,
    # K7: `status` is a lifecycle in answers and an HTTP number in errors; a text status is never an error's.
    error_shape=("message",),
    unverified=("shape of check.result (three are read)",),
)
