"""``m26 status``: asks the running process of a home how it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import orjson

from m26.cli.figures import figures, setup
from m26.cli.options import Options
from m26.cli.output import dump_json, print_rows
from m26.clock import iso
from m26.home.runfile import Runner, read_run
from m26.home.stops import Stop, read_stops
from m26.models import Account
from m26.status.views import StatusView

if TYPE_CHECKING:
    from m26.cli.documents import HomeView, StopView
    from m26.config import Loaded

_PATIENCE = 5.0


def status(*, options: Options = Options()) -> int:
    """Say whether m26 runs for this home and how it is. Exit code 0: healthy; 1: anything else.

    Example: ``m26 status --json``

    Args:
        options: options of every command.
    """
    loaded = options.load(logs=False)
    home = loaded.settings.home
    run, stops = read_run(home), read_stops(home)
    snapshot, trouble = ask(run, loaded) if run else (None, f"m26 does not run for {home}")
    if options.json:
        held = stop_views(stops)
        printed: HomeView = {
            "running": run is not None,
            "healthy": snapshot is not None and snapshot["healthy"],
            "problem": trouble,
            "stop": held[0] if held else None,
            "stops": held,
            "snapshot": snapshot,
        }
        dump_json(printed)
    else:
        if snapshot is not None:
            accounts = [Account(each["name"], each["platform"]) for each in snapshot["accounts"]]
            rows = figures(snapshot) + setup(snapshot, accounts)
            print_rows(rows, state=snapshot["state"]["state"])
        else:
            print_rows([("state", trouble), *([] if run or stops else [("do", "m26 run")])])
        print_rows(stop_rows(stops))
    return 0 if snapshot is not None and snapshot["healthy"] else 1


def ask(run: Runner, loaded: Loaded) -> tuple[StatusView | None, str]:
    """The snapshot of a running process, or why there is none."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(f"{run.url}/api/v1/status")  # noqa: S310 - from our own file
    token = loaded.settings.web.token
    if token is not None:
        request.add_header("Authorization", f"Bearer {token.get_secret_value()}")
    # Two processes of one machine talk directly, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_PATIENCE) as answer:
            document: Any = orjson.loads(answer.read())
    except urllib.error.HTTPError as error:
        refused = error.code in {401, 429}
        why = "set M26_WEB__TOKEN as it is set there" if refused else "see its log"
        return None, f"m26 (pid {run.pid}) answers with HTTP {error.code}; {why}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return None, f"m26 (pid {run.pid}) does not answer at {run.url}: {reason}"
    return cast("StatusView", document), ""


def stop_views(stops: Sequence[Stop]) -> list[StopView]:
    """STOPs as JSON."""
    return [
        {
            "reason": stop.reason,
            "message": stop.message,
            "advice": stop.advice,
            "since": iso(stop.since),
            "account": stop.account,
            "scope": stop.scope,
        }
        for stop in stops
    ]


def stop_rows(stops: Sequence[Stop]) -> list[tuple[str, str]]:
    """STOPs for a person."""
    rows = []
    for stop in stops:
        alone = " alone" if stop.scope == "account" else ""
        rows += [
            ("stopped", f"since {iso(stop.since)}, {stop.reason}: {stop.message}"),
            *([("account", f"{stop.account}{alone}")] if stop.account else []),
            ("do", stop.what_to_do),
        ]
    return rows
