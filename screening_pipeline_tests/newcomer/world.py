"""Plays three cycles with the new vendor, and a pushed message, in a clone that has its files; tells what came of it.

    python -m screening_pipeline_tests.newcomer.world <empty folder>

Real HTTP on loopback, real Dagster runs, real files. The facts are printed as JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg

from screening_pipeline.base.clock import system_clock
from screening_pipeline.cli import commands
from screening_pipeline.cli.findings import Finding
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration import runs
from screening_pipeline.orchestration.definitions import defs
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.orchestration.keys import pull_cron
from screening_pipeline.report import write
from screening_pipeline.runtime import opening
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import use_runtime
from screening_pipeline.settings import load, template
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import session, store
from screening_pipeline.webhooks import receiver
from screening_pipeline.webhooks.server import http_server, listening
from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving

SLUG = "lantern"
ORDERED = ("L-1", "L-2")
"""The others only the vendor's list tells of."""
SECRETS = {"LANTERN_API_KEY": "key-of-a-test", "LANTERN_WEBHOOK_KEY": "signs-pushes-of-a-test"}


class Counter:
    """The vendor's side: orders by id, and a feed that hands each change out once."""

    def __init__(self) -> None:
        self.orders = {name: {"reference": name, "state": "lit"} for name in ("L-1", "L-2", "L-3")}
        self.untold: list[dict[str, str]] = []

    def end(self, name: str, outcome: str) -> dict[str, str]:
        """An order ends; the message that tells of it."""
        self.orders[name] = {"reference": name, "state": "out", "outcome": outcome}
        return self.orders[name]

    def answer(self, asked: Asked) -> Reply:
        """The answer to one request."""
        if asked.headers.get("authorization") != f"Bearer {SECRETS['LANTERN_API_KEY']}":
            return json_reply({"problem": "who are you"}, 401)
        if asked.target == "/v1/updates":
            told, self.untold = self.untold, []
            return json_reply(told)
        if asked.target == "/v1/packages":
            return json_reply([{"id": 1, "name": "Street"}])
        if asked.target.startswith("/v1/roster?"):
            return json_reply(self.leaf(parse_qs(urlsplit(asked.target).query)))
        order = self.orders.get(asked.target.removeprefix("/v1/orders/"))
        return json_reply(order) if order else json_reply({"problem": "no such order"}, 404)

    def leaf(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """A page of the orders by name, of as many as were asked for."""
        number, size = int(query["leaf"][0]), int(query["a_leaf"][0])
        shown = [{"reference": name} for name in self.orders][(number - 1) * size : number * size]
        more = f"/v1/roster?leaf={number + 1}" if number * size < len(self.orders) else None
        return {"orders": shown, "next": more, "of": len(self.orders)}


def configure(url: str) -> None:
    """The file that `init` writes, with the new vendor's account alone, at `url`."""
    accounts = template.text().split("[[accounts]]")[1:]
    mine = next(table for table in accounts if f'vendor = "{SLUG}"' in table).split("\n\n")[0]
    mine = mine.replace(f'"{vendor(SLUG).base_url}"', f'"{url}/v1"')
    for key in ("status_updates = ", "webhook_key_env = ", "discover = "):
        mine = mine.replace(f"# {key}", key)
    for key in ("status_updates", "discover"):
        mine = mine.replace(f"{key} = false", f"{key} = true")
    Path("screening.toml").write_text(f"[[accounts]]{mine}\n", encoding="utf-8")


def main(folder: Path) -> None:
    """Play, and print the facts."""
    os.chdir(folder)
    os.environ.update(SECRETS)
    counter = Counter()
    with serving(counter.answer) as server:
        configure(server.url)
        settings = load.load(os.environ, Path.cwd())
        settings.paths.create()
        orders = "".join(f"{SLUG},{name},{datetime.now(UTC).isoformat()},ref-{name}\n" for name in ORDERED)
        (settings.paths.orders / "first.csv").write_text(f"vendor,check_id,ordered_at,candidate_ref\n{orders}")
        work = opening.build_runtime(settings, os.environ, system_clock(os.environ))
        facts: dict[str, Any] = {"doctor": examined(), **play(work, counter)}
        facts["asked"] = [asked.target for asked in server.asked]
    json.dump(facts, sys.stdout, default=str)


def play(work: Runtime, counter: Counter) -> dict[str, Any]:
    """Three cycles: what a person starts, what the schedule starts, what a pushed message wakes."""
    with instance(work.settings.paths) as recorded:
        first = runs.sync(work, recorded, is_full=True)
        facts: dict[str, Any] = {"first": states(work), "exit_code": first.exit_code, "failed": first.failed_checks}
        facts["planned"] = rows(
            work,
            "select check_id, next_pull_at > now() + interval 1 hour as is_left_alone from star.fact_check order by 1",
        )

        counter.untold.append(counter.end("L-1", "bright"))
        facts["schedules"] = {f"{SLUG}_pull": pull_cron(vendor(SLUG))}
        facts["scheduled"] = follow_schedule(work, recorded, f"{SLUG}_pull")
        facts["second"] = states(work)

        with receiving(work) as port:
            facts["push"] = [
                push(port, counter.end("L-2", "dim"), key) for key in ("wrong", SECRETS["LANTERN_WEBHOOK_KEY"])
            ]
        facts["sensors"] = sensors(recorded)
        runs.sync(work, recorded)
        facts["third"] = states(work)
        facts["stale"] = rows(work, f"select name, value from star.dim_setting where vendor = '{SLUG}'")
        facts["packages"] = rows(work, f"select package_name from star.dim_package where vendor = '{SLUG}'")
        with store.reader(work.settings.paths.published) as connection:
            page = write.build_report(connection, generated_at=work.clock.now())
        facts["is_reported"] = vendor(SLUG).title in page
    return facts


def examined() -> list[tuple[str, str]]:
    """What `doctor` says of the account."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        commands.doctor(is_json=True)
    findings = [Finding(**found) for found in json.loads(out.getvalue())]
    return [(finding.name, finding.level) for finding in findings if finding.name.startswith(SLUG)]


def states(work: Runtime) -> dict[str, str]:
    """Lifecycle and result of each check."""
    found = rows(work, "select check_id, lifecycle || ' ' || result as state from star.fact_check order by check_id")
    return {row["check_id"]: row["state"] for row in found}


def rows(work: Runtime, query: str) -> list[dict[str, Any]]:
    """The rows of a query on the live warehouse."""
    with open_warehouse(work) as connection:
        return session.rows(connection, query)


def follow_schedule(work: Runtime, recorded: dg.DagsterInstance, name: str) -> str:
    """Have a schedule tick, and the run made that it asks for; whether that ended well."""
    schedule = defs.resolve_schedule_def(name)
    context = dg.build_schedule_context(instance=recorded, scheduled_execution_time=datetime.now(UTC))
    (request,) = schedule.evaluate_tick(context).run_requests or []
    request.run_config["ops"]["pull"]["config"]["seconds"] = 2  # and not some minutes, in which the feed is drained
    with use_runtime(work):
        done = defs.resolve_job_def(schedule.job_name).execute_in_process(
            instance=recorded, run_config=request.run_config
        )
    return "done" if done.success else "failed"


def sensors(recorded: dg.DagsterInstance) -> dict[str, str]:
    """What the sensors answer that would wake the new vendor."""
    found = {}
    for name in ("recheck", "landed_messages"):
        sensor = defs.resolve_sensor_def(name)
        context = dg.build_sensor_context(
            instance=recorded, sensor_name=name, repository_def=defs.get_repository_def(), cursor=None
        )
        tick = sensor.evaluate_tick(context)
        found[name] = f"{len(tick.run_requests or [])} runs; {tick.skip_message or ''}"
    return found


@contextmanager
def receiving(work: Runtime) -> Iterator[int]:
    """The port of the receiver, running."""
    with listening("127.0.0.1", 0) as listener:
        server = http_server(
            receiver.application(work.landing, work.settings, work.environ, work.pull_queue, work.clock, lambda _: None)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=20)


def push(port: int, message: dict[str, str], key: str) -> int:
    """Push a message signed with this key; the status of the answer."""
    body = json.dumps(message).encode()
    signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        account = vendor(SLUG).calendar.lower()
        headers = {"Content-Type": "application/json", "X-Lantern-Signature": signature}
        connection.request("POST", f"/webhooks/{SLUG}/{account}", body, headers)
        return connection.getresponse().status


if __name__ == "__main__":
    main(Path(sys.argv[1]))
