"""Every figure that is learned, planned and forecast of a made-up past is the one that was kept."""

from __future__ import annotations

import json

import pytest

from screening_pipeline_tests.support import planning_figures


@pytest.mark.parametrize("part", ["forecasts", "plans", "rules"])
def test_what_is_computed_of_a_small_past_changes_only_where_somebody_means_it(part: str) -> None:
    kept = json.loads(planning_figures.FILE.read_text(encoding="utf-8"))
    found = dict(planning_figures.placed(part, getattr(planning_figures, part)()))
    wanted = dict(planning_figures.placed(part, kept[part]))
    assert found.keys() == wanted.keys()
    assert {place: value for place, value in found.items() if not same(value, wanted[place])} == {}


def same(value: object, wanted: object) -> bool:
    """Whether a figure is the kept one, but for what processors round otherwise."""
    if isinstance(wanted, float):
        return bool(value == pytest.approx(wanted, rel=1e-5, abs=1e-9, nan_ok=True))
    return value == wanted
