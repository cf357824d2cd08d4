"""`python -m screening_pipeline.sandbox`: serve the vendor sandbox alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from screening_pipeline.sandbox.clocks import parse_instant
from screening_pipeline.sandbox.server import Options, serve


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar; what is not given keeps the default of `Options`."""
    defaults = Options()
    grammar = argparse.ArgumentParser(prog="python -m screening_pipeline.sandbox", description=__doc__)
    add = grammar.add_argument
    add("--port", type=int, default=defaults.port, help="0 takes a free one")
    add("--seed", type=int, default=defaults.seed, help="the same seed gives the same world")
    add("--checks", type=int, default=defaults.checks, help="how many checks are ordered")
    add("--epoch", type=parse_instant, help="ISO 8601 instant at which the orders begin")
    add("--days", type=int, default=defaults.days, help="over how many days they are spread")
    add("--virtual", action="store_true", help="the clock stands until PUT /_sandbox/clock moves it")
    add("--limit-factor", type=float, default=defaults.limit_factor, help="times the vendors' own rate limits")
    add("--no-limits", action="store_const", const=None, dest="limit_factor", help="no rate limits")
    add("--state", type=Path, help="file that keeps the position of the destructive feed")
    add("--ready-file", type=Path, help="file to write the ready line to as well")
    add("--exit-with-parent", action="store_true", help="stop when the parent process has gone")
    add("--no-workable-polling", action="store_false", dest="workable_polling", help="answer polls with 405")
    add("--faults", type=float, default=defaults.faults, help="share of answers that go wrong, 0 to 1")
    add("--fault-seed", type=int, default=defaults.fault_seed, help="which of them do, and how")
    add("--fault-elsewhere", default=defaults.fault_elsewhere, help="the host that spoiled answers redirect to")
    return grammar


if __name__ == "__main__":
    serve(**vars(parser().parse_args()))
