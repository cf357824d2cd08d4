"""The command line. Each command imports what it needs when it runs: `--help` costs none of it."""

from __future__ import annotations

import io
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from screening_pipeline.base import garbage_collection
from screening_pipeline.base.errors import EnvironmentFailed, ScreeningError, UsageError
from screening_pipeline.base.failures import disk_full, is_full, is_out_of_room
from screening_pipeline.cli import console

app = typer.Typer(
    name="screening-pipeline",
    help="Background-check status from screening vendors in one DuckDB star schema.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INTERRUPTED = 130

# What a command needs at the least: below it nothing can be relied on.
_LEAST_BYTES = 65536
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON, for another program.")]
LogJson = Annotated[bool, typer.Option("--log-json", help="Print each event as a line of JSON, for a collector.")]
Vendors = Annotated[list[str] | None, typer.Option("--vendor", help="Only this vendor; may be given again.")]
Accounts = Annotated[
    list[str] | None, typer.Option("--account", help="Only accounts of this name; may be given again.")
]


def main() -> NoReturn:
    """Run the command line; end with 0 done, 1 needs attention, 2 wrong use, 3 machine or program, 130 stopped."""
    os.umask(0o077)
    _be_calm()
    console.ignore_broken_pipes()
    garbage_collection.tune_garbage_collection()
    try:
        app(standalone_mode=True)
    except ScreeningError as problem:
        console.warn(f"screening-pipeline: {problem}")
        sys.exit(problem.exit_code)
    except OSError as problem:
        console.warn(f"screening-pipeline: {_of_the_machine(problem)}")
        sys.exit(EnvironmentFailed.exit_code)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # all that typer leaves of a KeyboardInterrupt
            _interrupted()
        raise
    except Exception as problem:  # noqa: BLE001 - nobody foresaw it, so its text may quote anything
        if isinstance(problem.__cause__, KeyboardInterrupt):  # DuckDB's word for it is RuntimeError
            _interrupted()
        console.warn(_place(problem))
        sys.exit(EnvironmentFailed.exit_code)
    sys.exit(0)


def _of_the_machine(problem: OSError) -> str:
    """What to say of an error of the system that no store has put into its own words."""
    file = Path(str(problem.filename)) if problem.filename else None
    if is_out_of_room(problem) and (file or is_full(Path.cwd())):  # else it is where the output goes that is full
        folder = file.parent if file and file.parent.is_dir() else None
        return str(disk_full(file.name if file else "the data folder", folder, _LEAST_BYTES))
    where = f"{file.name}: " if file else ""
    return f"{where}{problem.strerror or type(problem).__name__}"


def _be_calm() -> None:
    """Have neither a warning of a library nor a locale that cannot print a sign end a command."""
    warnings.resetwarnings()  # whoever sets PYTHONWARNINGS=error means programs of their own
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _interrupted() -> NoReturn:
    warnings.simplefilter("ignore")  # Python would tell of every coroutine that was given up
    console.warn("screening-pipeline: interrupted; what was received is on disk, the next run goes on from there")
    sys.exit(_INTERRUPTED)


def _place(problem: Exception) -> str:
    """The traceback of an unforeseen failure with its type, without its text, which may quote a payload."""
    frames = "".join(traceback.format_tb(problem.__traceback__))
    return f"{frames}screening-pipeline: a mistake of this program: {type(problem).__name__}, raised above"


def _version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer gives it so
    if is_wanted:
        from importlib.metadata import version

        console.say(f"screening-pipeline {version('screening-pipeline')}")
        raise typer.Exit


@app.callback()
def _whole(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Background-check status from screening vendors in one DuckDB star schema."""


@app.command()
def init(
    force: Annotated[bool, typer.Option("--force", help="Replace an existing screening.toml.")] = False,
) -> None:
    """Write a commented screening.toml and create the data folder."""
    from screening_pipeline.settings import template
    from screening_pipeline.settings.paths import paths_of

    target = Path("screening.toml")
    if target.exists() and not force:
        raise UsageError("screening.toml is there already; --force replaces it", code="exists")
    paths = paths_of(os.environ, Path.cwd())
    target.write_text(template.text(), encoding="utf-8")
    paths.create()
    example = Path("orders-example.csv")
    if not example.exists():
        example.write_text(template.example_orders(), encoding="utf-8")
    console.say(f"wrote {target} and {example}, made {paths.data_dir}/")
    console.say(template.NEXT)


@app.command()
def sync(
    vendor: Vendors = None,
    account: Accounts = None,
    full: Annotated[bool, typer.Option("--full", help="Also pull open checks that are not due yet.")] = False,
    json: Json = False,
) -> None:
    """Run one cycle: read orders, pull what is due, bring it into the star, publish. Ended checks are never pulled."""
    from screening_pipeline.cli import sync as cli_sync

    raise typer.Exit(cli_sync.sync(vendor or [], account or [], is_full=full, is_json=json))


@app.command()
def status(
    json: Json = False,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="Print it as Prometheus reads it.")] = False,
) -> None:
    """Show what runs, and per account what is open, due and overdue, the budget used, the trouble it is in."""
    from screening_pipeline.cli import commands

    raise typer.Exit(commands.status(is_json=json, is_prometheus=prometheus))


@app.command()
def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read all that lies on the disk, and not a sample.")
    ] = False,
    notify_test: Annotated[
        bool, typer.Option("--notify-test", help="Also send a test message to everybody whom [notify] names.")
    ] = False,
    json: Json = False,
) -> None:
    """Check configuration, secrets, accounts, the warehouse, the disk and permissions; one line each with the fix."""
    from screening_pipeline.cli import commands

    raise typer.Exit(commands.doctor(is_deep=deep, is_notify_test=notify_test, is_json=json))


@app.command()
def rejects(
    settle: Annotated[bool, typer.Option("--settle", help="Close them all: nobody has to look at them again.")] = False,
    json: Json = False,
) -> None:
    """List rejected order rows and answers that are still open: until their file is gone or a later one has the row."""
    from screening_pipeline.cli import rejects as open_rejects

    raise typer.Exit(open_rejects.command(is_settling=settle, is_json=json))


@app.command()
def watch(
    duration: Annotated[
        str | None, typer.Option("--for", help="How long: 90s, 30m, 2h, 1d. By default until Ctrl-C.")
    ] = None,
    log_json: LogJson = False,
) -> None:
    """Run cycles as checks fall due, without the Dagster daemon."""
    from screening_pipeline.cli import sync as cli_sync

    raise typer.Exit(cli_sync.watch(duration, is_log_json=log_json))


@app.command()
def show(
    vendor: Annotated[str, typer.Argument(help="The vendor, as in screening.toml.")],
    check_id: Annotated[str, typer.Argument(help="The vendor's id of the check, exactly.")],
    account: Annotated[str | None, typer.Option("--account", help="Only in this account.")] = None,
    json: Json = False,
) -> None:
    """Show the life of one check: the vendor's words beside ours, who had to act, and when it is asked next."""
    from screening_pipeline.cli import commands

    raise typer.Exit(commands.show(vendor, check_id, account, is_json=json))


@app.command()
def report(
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; by default data/published/report.html.")
    ] = None,
) -> None:
    """Write a self-contained HTML page of turnaround, ageing, SLA, adjudication and data quality."""
    from screening_pipeline.cli import report as cli_report

    raise typer.Exit(cli_report.report(out))


@app.command()
def backtest(
    weeks: Annotated[int, typer.Option(min=1, max=104, help="How many weeks back, one forecast each.")] = 8,
    json: Json = False,
) -> None:
    """Try forecasts of when checks end on your own past, with only what was known then, beside simpler methods."""
    from screening_pipeline.cli import backtest as cli_backtest

    raise typer.Exit(cli_backtest.backtest(weeks=weeks, is_json=json))


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="A published table or view, such as analytics.turnaround.")],
    out: Annotated[Path | None, typer.Option("--out", help="The file, .csv or .xlsx; else standard output.")] = None,
) -> None:
    """Write a published table or view as CSV, or as a workbook (.xlsx), in which ids stay text."""
    from screening_pipeline.cli import export as cli_export

    raise typer.Exit(cli_export.export(name, out))


@app.command()
def rebuild(json: Json = False) -> None:
    """Drop everything derived, compute it again from raw, and try every rule. Only the plan of pulls is a new one."""
    from screening_pipeline.cli import sync as cli_sync

    raise typer.Exit(cli_sync.rebuild(is_json=json))


@app.command()
def demo(json: Json = False) -> None:
    """Play 30 virtual days of all vendors through the whole pipeline, and print turnaround per vendor."""
    from screening_pipeline.cli import demo as cli_demo

    raise typer.Exit(cli_demo.demo(is_json=json))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 8765,
    seed: Annotated[int, typer.Option(help="The same seed plays the same world.")] = 7,
    checks: Annotated[int, typer.Option(min=1, help="How many checks are ordered over 30 days.")] = 300,
    faults: Annotated[float, typer.Option(min=0, max=1, help="Share of answers that go wrong.")] = 0.0,
) -> None:
    """Serve the bundled vendor sandbox alone, in real time, with the vendors' own rate limits."""
    from screening_pipeline.sandbox.server import serve

    try:
        serve(port=port, seed=seed, checks=checks, faults=faults)
    except OSError as problem:
        raise EnvironmentFailed(f"port {port}: {problem.strerror}; try --port 0", code="port_taken") from None


@app.command()
def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on loopback.")] = 3000,
) -> None:
    """Open Dagster's pages on this machine, and run its schedules and sensors, until Ctrl-C or SIGTERM."""
    from screening_pipeline.cli import dev as cli_dev

    raise typer.Exit(cli_dev.serve(cli_dev.Served(port=port)))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address of the pages; put a login before them.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the pages.")] = 3000,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A name by which they are reached; may be given again.")
    ] = None,
    path_prefix: Annotated[str, typer.Option(help="Where a proxy shows them, such as /screening.")] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Pages that start and change nothing.")] = False,
    only: Annotated[str | None, typer.Option("--only", help="pages or daemon: one of the two processes.")] = None,
) -> None:
    """Run Dagster's pages and daemon for production, until SIGTERM."""
    from screening_pipeline.cli import dev as cli_dev

    if only not in (None, "pages", "daemon"):
        raise UsageError("--only is pages or daemon", code="usage")
    served = cli_dev.Served(
        host=host,
        port=port,
        allowed=allow_host or [],
        path_prefix=path_prefix,
        is_read_only=read_only,
        has_pages=only != "daemon",
        has_daemon=only != "pages",
    )
    raise typer.Exit(cli_dev.serve(served))


@app.command()
def webhooks(
    host: Annotated[
        str, typer.Option(help="Address to listen on; what faces the internet puts TLS before it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8770,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Answer GET /metrics, too, which nobody outside should reach.")
    ] = False,
    log_json: LogJson = False,
) -> None:
    """Receive what vendors push: each message is proven and on disk before it is answered; the next cycle reads it."""
    from screening_pipeline.cli import webhooks as cli_webhooks

    raise typer.Exit(cli_webhooks.webhooks(host, port, has_metrics=metrics, is_log_json=log_json))


@app.command()
def move(
    to: Annotated[Path, typer.Option("--to", help="The other screening.toml.", exists=True, dir_okay=False)],
    data_dir: Annotated[Path, typer.Option("--data-dir", help="The other data folder, an empty one.")],
    json: Json = False,
) -> None:
    """Take this world to another configuration, such as one of several machines, or back; compare; close this place."""
    from screening_pipeline.cli.move import command

    raise typer.Exit(command(to, data_dir, is_json=json))


@app.command()
def erase(
    candidate_ref: Annotated[
        str | None,
        typer.Option("--candidate-ref", help="The person, as in the manifests; - reads it from standard input."),
    ] = None,
    check: Annotated[
        tuple[str, str] | None, typer.Option("--check", metavar="VENDOR CHECK_ID", help="One check instead.")
    ] = None,
    account: Annotated[str | None, typer.Option("--account", help="With --check: the account it belongs to.")] = None,
    json: Json = False,
) -> None:
    """Remove a person, or one check, everywhere; a rebuild does not bring them back. The manifests stay yours."""
    from screening_pipeline.cli.erase import command

    raise typer.Exit(command(candidate_ref, check, account, is_json=json))
