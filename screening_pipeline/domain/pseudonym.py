"""Keyed pseudonyms of people, used everywhere outside the landing area.

With the key a known reference can be matched to a pseudonym; without it nothing can. Another key makes other
pseudonyms, so the key is kept for as long as the warehouse, and its digest is stored beside the warehouse: under
another key nothing is read or written.
"""

from __future__ import annotations

import hmac

SHORTEST_KEY = 16
TOO_SHORT = f"must hold at least {SHORTEST_KEY} characters"
ANOTHER_PSEUDONYM_KEY = (
    "is not the key that people have their pseudonyms by, so that nobody would be known again, nor who was erased; "
    "put the right one back"
)
ANOTHER_LANDING_KEY = "is not the key that landed lines are encrypted with; put the right one back"


def pseudonym(key: bytes, candidate_ref: str) -> str:
    """The pseudonym of a person's reference: HMAC-SHA-256 of the exact text, the first 32 hex digits."""
    return hmac.digest(key, candidate_ref.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]
