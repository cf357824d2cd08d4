"""How many states came and went unseen, by the looks that were made. Pure; times are seconds.

A state that lasts for a quarter of the time between two looks is seen in one case of four, so each one seen stands for
four. How long such states last is told by those seen, whose looks before, within and after bound them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening_pipeline.planning.hazards import Columns

    Floats = NDArray[np.float64]

COLUMNS = ("check_key", "vendor", "account", "state", "is_first", "is_end", "is_over", "before", "within", "after")
EDGES = np.geomspace(5.0, 400 * 86_400.0, 81)
"""Of durations."""
MIDDLES = np.sqrt(EDGES[1:] * EDGES[:-1])
SPREADS = (0.4, 0.7, 1.0, 1.4, 2.0)
"""Of the logarithm of a duration."""
SHARES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Of checks that begin in their vendor's first state."""
TRUST = 1.5
"""States last as long as looks lie apart, within this many magnitudes (of e), until looks tell otherwise."""
SAMPLE, FEW = 4_000, 3
GRID = tuple(product(np.linspace(np.log(30.0), np.log(90 * 86_400.0), 40).tolist(), SPREADS))
QUICK = 0.1
TINY = 1e-300


@dataclass(frozen=True)
class Unseen:
    """Stays of one state that were seen, and how many more there were before the first look and between two."""

    seen: int
    before: float
    between: float


def unseen(stays: Columns) -> dict[tuple[str, str, str], Unseen]:
    """How many stays nobody saw, by vendor, account and state.

    `stays` has the columns COLUMNS, one place for each stay seen and each first look at a check: `before` is the time
    since the look before, or the order (`is_first`); 0 where the vendor told of the change itself. `within` is the time
    from the first look to the last, `after` from there to the next one (NaN while it lasts). `is_end` are no stays;
    `is_over` are those of checks that have ended.
    """
    found: dict[tuple[str, str, str], Unseen] = {}
    for vendor in sorted(set(stays["vendor"].tolist())):
        own = {name: column[stays["vendor"] == vendor] for name, column in stays.items()}
        found |= {(vendor, *key): told for key, told in _of_vendor(own)}
    return found


def _of_vendor(own: Columns) -> Iterator[tuple[tuple[str, str], Unseen]]:
    first = _first_state(own)
    lost = _lost_between(own, first)
    states = sorted({first, *own["state"][~own["is_end"]].tolist()})
    passed = {
        state: _lost_at_first(own, first) if state == first else _passed(own, state, first, lost) for state in states
    }
    for account, state in product(sorted(set(own["account"].tolist())), states):
        of_account = own["account"] == account
        here = of_account & (own["state"] == state) & ~own["is_end"]
        before = float(lost[here & own["is_first"]].sum() + passed[state][of_account].sum())
        if here.any() or before > 0:
            yield (account, state), Unseen(int(here.sum()), before, float(lost[here & ~own["is_first"]].sum()))


def _passed(own: Columns, state: str, first: str, lost: Floats) -> Floats:
    """For each check found ended how often it had been in a state: as often as those followed from the first one on."""
    begun = own["check_key"][own["is_first"] & (own["state"] == first) & own["is_over"]]
    here = (own["state"] == state) & np.isin(own["check_key"], begun)
    often = float((1 + lost[here]).sum()) / max(len(begun), 1)
    return np.where(own["is_first"] & own["is_end"], often, 0.0)


def _first_state(own: Columns) -> str:
    """The state in which a vendor's checks begin: what the quickest of the first looks show; else nobody knows it."""
    places = np.flatnonzero(own["is_first"] & ~own["is_end"])
    if not len(places):
        return "unknown"
    quick = places[np.argsort(own["before"][places], kind="stable")[: max(10, int(QUICK * len(places)))]]
    names, counts = np.unique(own["state"][quick].astype(str), return_counts=True)
    return str(names[counts.argmax()])


def _lost_between(own: Columns, first: str) -> Floats:
    """For each stay how many like it were not seen; none where it may have begun with the order."""
    lost = np.zeros(len(own["state"]))
    begun = own["is_first"] & (own["state"] == first)
    for state in sorted(set(own["state"].tolist())):
        places = np.flatnonzero((own["state"] == state) & ~own["is_end"] & ~begun)
        if len(places):
            before = np.maximum(own["before"][places], 1.0)
            lasting = _fitted(before, own["within"][places], own["after"][places])
            chance = np.interp(before, EDGES, _chance_seen(EDGES) @ lasting)
            lost[places] = 1 / np.clip(chance, 0.01, 1.0) - 1
    return lost


def _chance_seen(before: Floats) -> Floats:
    """The chance that a stay of each duration is seen: it begins at any time between two looks."""
    return np.minimum(1.0, MIDDLES / before[:, None])


def _fitted(before: Floats, within: Floats, after: Floats) -> Floats:
    """The likeliest shares of durations of stays of which only those seen are known."""
    few = _few(len(before))
    before, within, after = before[few], within[few], after[few]
    begins = np.maximum(-before[:, None], within[:, None] - MIDDLES)
    ends = np.minimum(0.0, within[:, None] + np.maximum(after, 1.0)[:, None] - MIDDLES)
    ends = np.where(np.isnan(after)[:, None], 0.0, ends)
    told, seen = np.clip(ends - begins, 0.0, None) / before[:, None], _chance_seen(before)

    def likelihood(shares: Floats) -> float:
        return float(np.log(told @ shares + TINY).sum() - np.log(seen @ shares + TINY).sum())

    return _believed(likelihood, float(np.median(before)))[0]


def _few(size: int) -> NDArray[np.int64]:
    """Places of a fair choice; more would tell the same."""
    return np.unique(np.linspace(0, size - 1, min(size, SAMPLE)).astype(np.int64))


def _believed(likelihood: Callable[[Floats], float], usual: float) -> tuple[Floats, float]:
    """The shares of durations as looks leave them to be believed, and how likely that made all of them together."""
    centre = np.log(max(usual / 4, 60.0))
    kinds = [_shares(middle, spread) for middle, spread in GRID]
    before = [((middle - centre) / TRUST) ** 2 / 2 + ((spread - 1.2) / 0.4) ** 2 / 2 for middle, spread in GRID]
    scores = np.array([likelihood(shares) for shares in kinds]) - np.array(before)
    weights = np.exp(scores - scores.max())
    believed: Floats = weights @ np.array(kinds) / weights.sum()
    return believed, float(scores.max() + np.log(weights.mean()))


def _shares(middle: float, spread: float) -> Floats:
    """How durations whose logarithms lie around `middle` fall into the bins."""
    density = np.exp(-(((np.log(MIDDLES) - middle) / spread) ** 2) / 2)
    shares: Floats = density / density.sum()
    return shares


def _lost_at_first(own: Columns, first: str) -> Floats:
    """For each first look that shows another state the chance that the vendor's first one had been and gone."""
    lost = np.zeros(len(own["state"]))
    looked = np.flatnonzero(own["is_first"])
    lag, is_seen = own["before"][looked], own["state"][looked] == first
    if is_seen.sum() < FEW:  # one state at least has come and gone where a check was over when it was first looked at
        lost[looked] = own["is_end"][looked]
        return lost
    few = _few(len(looked))
    seen = few[is_seen[few]]
    within, after = own["within"][looked][seen], own["after"][looked][seen]
    low = lag[seen] + within
    high = np.where(np.isnan(after), np.inf, low + np.maximum(after, 1.0))
    told, late = _covered(high) - _covered(low), 1 - _covered(lag[few[~is_seen[few]]])

    def likelihood(share: float, shares: Floats) -> float:
        never = np.log(np.maximum(1 - share * (late @ shares), TINY)).sum()
        return float(np.log(share * (told @ shares) + TINY).sum() + never)

    usual = _typical(low, high)
    found = [(share, *_believed(partial(likelihood, share), usual)) for share in SHARES]
    share, lasting, _ = max(found, key=lambda one: one[2])
    gone = np.interp(lag[~is_seen], EDGES, _covered(EDGES) @ lasting)
    lost[looked[~is_seen]] = share * gone / np.maximum(1 - share * (1 - gone), TINY)
    return lost


def _typical(low: Floats, high: Floats) -> float:
    return float(np.median(np.where(np.isfinite(high), (low + high) / 2, low)))


def _covered(ages: Floats) -> Floats:
    """Which part of each bin of durations lies below each age."""
    return np.clip((ages[:, None] - EDGES[:-1]) / np.diff(EDGES), 0.0, 1.0)
