"""Printing of unmapped status words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from screening_pipeline.base import inert
from screening_pipeline.cli import console

UNMAPPED = "star.fact_check.nothing_is_unmapped"
_SHOWN_WORDS = 5


def tell_unmapped(words: Sequence[Mapping[str, Any]]) -> None:
    """Print the first unmapped status words, and how to map them."""
    if not words:
        return
    console.say("Unmapped words, listed in ops.unmapped_value:")
    for word in words[:_SHOWN_WORDS]:
        console.say(f"  {word['vendor']}/{word['account']} {word['field']}: '{inert.inert(word['value'])[:80]}'")
    if len(words) > _SHOWN_WORDS:
        console.say(f"  and {len(words) - _SHOWN_WORDS} more")
    if any(word["field"] == "vendor_time" for word in words):
        console.say("A vendor_time in another notation than ISO 8601: set date_format of its account, as in %d/%m/%Y.")
    console.say("Map words in screening.toml (status_aliases; final_adjudications) or in vendors/<vendor>.csv.")
