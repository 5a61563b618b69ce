"""``m26 sim``: the auction-house simulator on its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from m26.cli.options import Options, within
from m26.cli.output import dump_json, say
from m26.errors import UsageError

if TYPE_CHECKING:
    from m26.cli.documents import SimulatorView
    from m26.sim.behaviour import Behaviour

_Flag = Parameter(negative="")
_Seconds = Annotated[float, within(0, 1e9)]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """How big, fast and lively the market is."""

    size: Annotated[int, within(1, 1_000_000)] = 400
    """Auctions alive at a time, in the mean; about 1.9 times as many are posted in a day."""
    speed: Annotated[float, within(1e-3, 1e6)] = 144.0
    """How much faster than real the market runs; one of its days is 86,400 / speed seconds of the
    clock that replies tell."""
    mix: Literal["default", "thirds"] = "default"
    """Durations in use: 1 h 15 %, 4 h 10 %, 8 h 15 %, 24 h 55 %, 72 h 5 %, or a third each of 1, 8
    and 24 h."""
    activity: Annotated[float, within(0, 1e6)] = 1.0
    """Multiplies how likely bids are."""
    buyouts: Annotated[float, within(1e-6, 1e6)] = 1.0
    """Multiplies how fast buyers are."""
    late: Annotated[float, within(0, 1e6)] = 1.0
    """Multiplies the share of bids that come late."""
    withdrawals: Annotated[float, within(0, 1e6)] = 1.0
    """Multiplies how often sellers withdraw."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """How lists, refreshes and prices behave: a variant, and what differs from it."""

    variant: str = "demo"
    """Where to start from: demo, default, paging-ignored, truncated-100, truncated-1000,
    order-ending, order-none, order-random, ended-omitted, ended-error, ended-visible, batch-10,
    batch-100, recall-1h, recall-6min, price-hidden, loss-10, ending-omitted,
    ending-paging-ignored."""
    order: Literal["newest", "ending", "random", "none"] | None = None
    """Of lists: newest posting first, first to expire first, drawn anew for each request, or
    arbitrary but always the same."""
    paging: Literal["both", "url", "payload", "none"] | None = None
    """Where an offset is honoured."""
    page: Annotated[int | None, within(1, 1_000)] = None
    """Most auctions on a page."""
    truncate: Annotated[int | None, within(0, 1e9)] = None
    """Only so many of a list can be reached; 0: all."""
    ended: Literal["full", "omitted", "error"] | None = None
    """What a refresh says of ids that have ended; with error, one of them makes it fail."""
    batch: Annotated[int | None, within(1, 1_000)] = None
    """Ids that a refresh reads."""
    visible: _Seconds | None = None
    """The market's seconds for which a search goes on showing an ended auction."""
    recall: _Seconds | None = None
    """The market's seconds for which a refresh knows an ended auction; for ever unless given."""
    ended_price: Literal["final", "last_bid"] | None = None
    """What a buyout leaves as current bid: the price paid, or the last bid."""
    loss: Annotated[float | None, within(0, 1)] = None
    """Share of the commands that fail with ERR_SYSTEM."""
    prices: Literal["plain", "static", "drift", "drift-wash"] | None = None
    """What sellers ask: anything around a card's one value (plain), or near its value, with
    snipes, bait and wash trades; values stand still (static), or move: the market drifts, falls
    with promos, and cards decay after their release (drift without wash trades, drift-wash)."""

    def behaviour(self) -> Behaviour:
        """What the options say together.

        Raises:
            UsageError: there is no such variant.
        """
        from m26.sim import behaviour

        given = {name: value for name, value in asdict(self).items() if value is not None}
        try:
            return behaviour.variant(given.pop("variant")).changed(given)
        except ValueError as error:
            raise UsageError(str(error), hint="See m26 sim --help.") from None


def sim(  # noqa: PLR0913 - each is an option of the command
    *,
    port: Annotated[int, within(0, 65_535)] = 0,
    folder: Path | None = None,
    seed: Annotated[int | None, within(0)] = None,
    house: House = House(),
    upstream: Upstream = Upstream(),
    session_ttl: _Seconds = 1200.0,
    token_ttl: _Seconds = 14400.0,
    bundle_ttl: _Seconds = 86400.0,
    accept_previous_refresh: Annotated[bool, _Flag] = False,
    account: tuple[str, ...] = (),
    clock: Path | None = None,
    with_parent: Annotated[bool, _Flag] = False,
    options: Options = Options(),
) -> int:
    """Serve a made-up auction house on this machine, until Ctrl-C.

    It speaks the upstream's protocol, keeps its market in a folder, and writes an account there
    as ``capture.har``, ready for ``m26 auth import``.

    Example: ``m26 sim --port 8126 --size 1000 --speed 288 --variant order-ending``

    Args:
        port: TCP port on 127.0.0.1; 0 takes a free one.
        folder: where the market, its ledger and the capture are kept; default HOME/sim.
        seed: of everything drawn by lot; a folder keeps its first one (26 unless given).
        house: how big, fast and lively the market is.
        upstream: how lists, refreshes and prices behave.
        session_ttl: seconds a session lives.
        token_ttl: seconds an access token lives.
        bundle_ttl: seconds a captured bundle is accepted.
        accept_previous_refresh: also take a rotated refresh token until its successor was used.
        account: NAME or NAME:PLATFORM, repeatable; default ``demo`` on the profile's platform.
        clock: file that tells the time in place of the machine's clock: base, real0 and speed as
            little-endian float64; now is base + (real time - real0) * speed.
        with_parent: end when the parent process ends or closes the pipe on standard input.
        options: options of every command.
    """
    from m26.sim.accounts import Lifetimes
    from m26.sim.server import Plan, run
    from m26.sim.tempo import Tempo

    home = options.load().settings.home
    where = folder or home / "sim"
    plan = Plan(
        folder=where.expanduser().absolute(),
        port=port,
        seed=seed,
        tempo=Tempo(**asdict(house)),
        behaviour=upstream.behaviour(),
        life=Lifetimes(
            session=session_ttl,
            access=token_ttl,
            bundle=bundle_ttl,
            accept_previous=accept_previous_refresh,
        ),
        accounts=dict(map(_account, account)),
        with_parent=with_parent,
        clock=clock,
    )

    def ready(url: str) -> None:
        if options.json:
            printed: SimulatorView = {"url": url, "folder": str(plan.folder)}
            dump_json(printed)
        else:
            say(f"simulator at {url}, its world in {plan.folder}\n")

    return run(plan, ready)


def _account(text: str) -> tuple[str, str]:
    name, _, platform = text.partition(":")
    if not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"account name {name!r} is not a word", hint="Letters, digits, - and _.")
    # Any platform: the simulator plays every profile's upstream, one of the operator's too.
    return name, platform or "sim"
