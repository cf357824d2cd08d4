"""Each vendor's way to say no."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil
from typing import Final

from starlette.responses import JSONResponse

from screening_pipeline.sandbox.timeline import Body

ZINC_CODES: Final = {400: 700, 401: 703, 403: 704, 404: 710, 429: 729}

SAYS_WHEN: Final = frozenset({"goodhire", "zinc", "workable"})
"""Vendors that send Retry-After; HireRight and WorkerChecks document a refusal and no header."""


def problem(vendor: str, status: int, text: str = "", *, retry_after: float | None = None) -> JSONResponse:
    """Return an error answer in the shape that `vendor` documents; `retry_after` is in seconds."""
    says_when = retry_after is not None and vendor in SAYS_WHEN
    headers = {"Retry-After": str(ceil(retry_after or 0))} if says_when else None
    return JSONResponse(_body(vendor, status, text or HTTPStatus(status).phrase), status, headers=headers)


def _body(vendor: str, status: int, text: str) -> Body:
    name = HTTPStatus(status).phrase
    match vendor:
        case "goodhire":
            details: Body = {"ErrorText": text, "FieldErrors": []}
            return {"StatusCode": name.replace(" ", ""), "StatusMessage": name, "AdditionalInfo": details}
        case "zinc":  # Z9: the number is Zinc's own
            return {"statusCode": ZINC_CODES.get(status, 799), "message": text}
        case "hireright":  # H3: the documented spelling
            return {"status_code": status, "errror": name, "error_description": text}
        case "workable":  # K7: here `status` is the HTTP status
            return {"status": status, "message": text}
        case _:
            return {"error": text}
