"""The command line: names and one-line helps; each command's code is in a file read lazily."""

from __future__ import annotations

import sys
from typing import Any

from cyclopts import App, CycloptsError

from m26 import signals
from m26.cli import streams
from m26.cli.output import print_error, say
from m26.errors import M26Error, UsageError, first_cause, of_surroundings

_EPILOGUE = """\
Exit codes: 0 ok · 2 usage · 3 config · 4 auth · 5 upstream or limit ·
6 storage · 7 payload shape unknown · 75 another copy holds this home, or
writes as this home · 129/130/143 signals · 134 hung."""


def _version() -> str:
    from importlib.metadata import version

    return version("m26")


def build() -> App:
    """The command tree; a command's module is imported only when that command is asked for.

    Lists of commands are plain text: what reads Markdown is slow to import, and no line needs it.
    """
    app = App(
        name="m26",
        help="A trustworthy record of the Madden Ultimate Team auction house, "
        "from your own account, read-only.",
        help_epilogue=_EPILOGUE,
        help_format="plaintext",
        version=_version,
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # `run_command` knows which signal it was
    )

    def command(target: str, text: str, name: str, group: App = app) -> None:
        group.command(f"m26.cli.{target}", name=name, help=text, help_format="markdown")

    def subgroup(name: str, text: str) -> App:
        group = App(name=name, help=text)
        app.command(group)
        return group

    for target, text, name in (
        ("run:run", "The main job: poll, store, publish, show.", "run"),
        ("status:status", "Is it healthy? Asks the running process.", "status"),
        ("top:top", "The next requests and why, live.", "top"),
        ("doctor:doctor", "What is wrong here, and the command that fixes it.", "doctor"),
        ("tail:tail", "Live events, resumable.", "tail"),
        ("stop:resume", "Go on after a STOP that you have dealt with.", "resume"),
        ("normalize:normalize", "Offline: captured replies to rows in a file.", "normalize"),
        ("replay:replay", "Captured replies through the live path into PostgreSQL.", "replay"),
        ("sim:sim", "The auction-house simulator on its own.", "sim"),
    ):
        command(target, text, name)

    command("completion:install", "Let the shell complete what m26 takes.", "--install-completion")
    auth = subgroup("auth", "Credentials: get them, see their health, care for them.")
    command("auth:import_", "Read tokens and bundles from captures.", "import", auth)
    command("login:login", "Log in through a browser.", "login", auth)
    command("auth:status", "Every credential, its state and time left.", "status", auth)
    command(
        "rebuild:rebuild", "Weekly: import captures, drop ended bundles, renew.", "rebuild", auth
    )
    command("vault:forget", "Delete credentials from the vault.", "forget", auth)
    command("vault:rekey", "Encrypt the vault with a new key.", "rekey", auth)
    command("auth:addon", "The mitmproxy addon that captures what m26 needs.", "addon", auth)
    config = subgroup("config", "Settings and where they come from.")
    command("config:show", "Every setting, its value, its origin.", "show", config)
    rejects = subgroup("rejects", "The quarantine: what could not be stored, and why.")
    command("rejects:ls", "List quarantined items.", "ls", rejects)
    command("rejects:show", "One quarantined item with its raw bytes.", "show", rejects)
    command("retry:retry", "Read items again, and store what can be stored now.", "retry", rejects)
    command("retry:drop", "Give items up, and delete their bytes.", "drop", rejects)
    journal = subgroup("journal", "The journal: every reply received, before it is stored.")
    command("records:ls", "What the journal keeps, and how far it is stored.", "ls", journal)
    command("records:export", "Records to a file that replay reads.", "export", journal)
    command("journal:ack", "You know of the damage: tell it no more.", "ack", journal)
    command("journal:new_id", "A name of its own for a home that was copied.", "new-id", journal)
    database = subgroup("db", "The database: its schema, its size, its oldest days.")
    command("db:migrate", "Bring the schema up to date.", "migrate", database)
    command("db:status", "Migrations, sizes, and how fast it grows.", "status", database)
    command("prune:prune", "Take out what is old; daily prices stay.", "prune", database)
    embedded = subgroup("embedded", "The PostgreSQL and Valkey that m26 starts itself.")
    command("embedded:status", "What runs, where, how big.", "status", embedded)
    command("embedded:start", "Start both and keep them until Ctrl-C.", "start", embedded)
    command("embedded:stop", "Stop what was left running.", "stop", embedded)
    command("embedded:dsn", "Its address, for other programs.", "dsn", embedded)
    command("embedded:psql", "A psql shell on the embedded database.", "psql", embedded)
    plan = subgroup("plan", "What is asked next, and why.")
    command("plan:explain", "What is known of an auction, and what is next.", "explain", plan)
    command("plan:forecast", "What another budget would see.", "forecast", plan)
    command("focus:focus", "What matters more, and what that costs the rest.", "focus", plan)
    command("plan:serve", "The planner behind JSON lines, in virtual time.", "serve", plan)
    upstream = subgroup("upstream", "What was found out of the upstream.")
    command("upstream:show", "Each capability: pinned or learned, and by what.", "show", upstream)
    market = subgroup("market", "What the record says of the market, and how far to believe it.")
    for target, text, name in (
        ("prices:floor", "Lowest asks, fair prices, last sales.", "floor"),
        ("deals:deals", "Asks below what their card sells for after tax.", "deals"),
        ("prices:movers", "Cards that sell for more or less than before.", "movers"),
        ("diff:diff", "What is other on offer than it was.", "diff"),
        ("cards:show", "A card's page.", "show"),
        ("cards:sales", "Sales of a card, or of all.", "sales"),
        ("cards:depth", "What a card is offered for, price by price.", "depth"),
        ("prices:index", "What the market as a whole does.", "index"),
        ("deals:basket", "What a list of cards costs at asks.", "basket"),
    ):
        command(target, text, name, market)
    command("market:calibration", "Inferred outcomes: said against right.", "calibration", market)
    command("market:value", "What the cards of a market trace were worth.", "value", market)
    return app


def _show_docstring(app: App, arguments: list[str]) -> None:
    """`m26 X --help` prints the docstring of X, with its example, not X's line in the list."""
    _, path, _ = app.parse_commands(arguments)
    for command in path[1:]:
        if command.default_command is not None:
            command.help = None


def _usage_hint(arguments: list[str]) -> str:
    names, _, _ = build().parse_commands(arguments)
    return f"`{' '.join(('m26', *names))} --help` lists its options."


def main() -> None:
    """Run the command of `sys.argv` and exit with its code (see `m26 --help`)."""
    streams.prepare()
    signals.in_order()
    code = run_command(sys.argv[1:])
    streams.give_up()
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command; its exit code. Nothing but `--debug` prints a traceback."""
    try:
        app = build()
        if not {"--help", "-h"}.isdisjoint(arguments):
            _show_docstring(app, arguments)
        result: Any = app(arguments, exit_on_error=False, print_error=False)
        streams.finish()
    except (Exception, BaseExceptionGroup, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - all are told
        return _failed(first_cause(error), arguments)
    return result if isinstance(result, int) else 0


def _failed(error: BaseException, arguments: list[str]) -> int:
    """Say why a command ended; its exit code."""
    match error:
        case KeyboardInterrupt():
            return signals.code()
        case BrokenPipeError() | SystemExit(__context__=BrokenPipeError()):  # rich's word for it
            return 0  # its reader has read enough: `m26 tail | head`
        case SystemExit():
            raise error
        case CycloptsError():
            told: M26Error = UsageError(str(error), hint=_usage_hint(arguments))
        case M26Error():
            told = error
        case OSError():
            told = of_surroundings(error)
        case _:
            message = f"unexpected {type(error).__name__}: {error}"
            told = M26Error(message, hint="Run it again with --debug and report it.")
            told.code = "bug"
    _tell(error, told, arguments)
    return told.exit_code


def _tell(error: BaseException, told: M26Error, arguments: list[str]) -> None:
    from traceback import format_exception

    from m26.redaction import redact

    lines = "" if isinstance(error, CycloptsError) else "".join(format_exception(error))
    for stream in [sys.stdout, sys.stderr] if "--json" in arguments else [sys.stderr]:
        try:
            if "--debug" in arguments:
                say(redact(lines), stderr=True)
            as_json = stream is sys.stdout
            print_error(told.code, redact(told.message), redact(told.hint), as_json=as_json)
            stream.flush()
        except OSError:
            continue  # where even stderr takes nothing, the exit code says it
        return
