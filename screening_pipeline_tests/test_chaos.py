"""A soak of some virtual days in which every third answer goes wrong. The long form is `chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from screening_pipeline.sandbox.faults import KINDS
from screening_pipeline_tests.support.chaos import soak
from screening_pipeline_tests.support.end_to_end_world import dagster_words

SLOW = {"stalled"}  # takes the whole deadline of a call; test_faults has it


@pytest.mark.slow
@dagster_words
@pytest.mark.timeout(300)
def test_in_the_end_the_star_says_what_the_vendors_say_whatever_went_wrong_on_the_way(tmp_path: Path) -> None:
    kinds = [kind for kind in KINDS if kind not in SLOW]
    soaked = soak(tmp_path, days=6, hours=72, checks=50, rate=0.3, kinds=kinds)
    assert soaked.differences == []
    assert soaked.checks >= 40
    assert len(soaked.faults) > 8
    assert soaked.without_reason == 0
    assert sum(soaked.refused_or_failed.values()) > 10
    assert soaked.gaps == soaked.gaps_settled
    assert (soaked.asked_elsewhere, soaked.asked_after_the_end) == (0, 0)
    assert soaked.failed_rules == []
