"""What stands behind the gateway: verified requests in; tokens, sessions and pages out."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from m26.sim import replies, verify
from m26.sim.accounts import Account, Accounts, Known
from m26.sim.behaviour import Behaviour, variant
from m26.sim.constants import Constants
from m26.sim.faults import Faults, Rule
from m26.sim.ledger import Ledger
from m26.sim.market import Market
from m26.sim.pages import Item, Page
from m26.sim.replies import RefusedError, Reply
from m26.sim.shelf import Auction
from m26.sim.tokens import TokenService

_CACHE_AGE = 8 * 3_600
"""The real cacheTime is hours old and says nothing; so is this one."""


@dataclass(slots=True, kw_only=True)
class Backend:
    """The upstream's own state and rules; knows nothing of HTTP connections."""

    constants: Constants
    ledger: Ledger
    accounts: Accounts
    markets: Mapping[str, Market]
    faults: Faults
    clock: Callable[[], float] = time.time
    signatures: frozenset[str] = frozenset({"signed", "bundles"})
    """Ways of signing that are accepted."""
    clock_off: float = 0.0
    """Seconds by which the server's clock is wrong in messages and replies; the market's is not."""
    one_session: bool = False
    """Whether a login ends the account's older sessions."""
    answered: Counter[str] = field(default_factory=Counter, init=False)
    """Requests over HTTP since the start, by kind."""
    _logins: int = field(default=0, init=False)

    def stats(self) -> dict[str, Any]:
        """What happened so far."""
        markets = {
            name: {
                "alive": len(market),
                "listed": market.listed,
                "frozen": market.frozen,
                "behaviour": asdict(market.behaviour),
            }
            for name, market in self.markets.items()
        }
        return {
            "requests": self.ledger.requests,
            "answered": dict(self.answered),
            "markets": markets,
            "accounts": {name: account.platform for name, account in self.accounts.all.items()},
            "faults": dict(self.faults.struck),
            "time": self.clock(),
        }

    @property
    def tokens(self) -> TokenService:
        """The part that gives out tokens."""
        return TokenService(self.constants, self.accounts)

    @property
    def platforms(self) -> frozenset[str]:
        """Platforms that have a market."""
        return frozenset(self.markets)

    def advance(self) -> float:
        """Move all markets to now; the time."""
        now = self.clock()
        for market in self.markets.values():
            market.advance(now)
        return now

    def behave(self, platform: str, name: str, changes: Mapping[str, object]) -> None:
        """Let markets behave otherwise from now on.

        Args:
            platform: whose; empty: all.
            name: of the variant to start from; empty: what they do now.
            changes: to that.

        Raises:
            ValueError: an unknown platform, variant or member, or a value that is not possible.
        """
        if platform and platform not in self.markets:
            raise ValueError(f"no platform {platform!r}; there are {', '.join(self.markets)}")
        markets = [self.markets[platform]] if platform else list(self.markets.values())
        wanted = [(variant(name) if name else m.behaviour).changed(changes) for m in markets]
        self.advance()  # what came before was as it was
        for market, behaviour in zip(markets, wanted, strict=True):
            market.behave(behaviour)

    def recognise(self, kind: str, body: bytes, secret: str) -> Known:
        """Whose request it seems to be and what it asks for, whatever will be wrong with it.

        Args:
            kind: of the request.
            body: as it came.
            secret: the session key of its path, or the login hint of its query.
        """
        known = Known()
        match kind:
            case "token":
                known.owner(self.tokens.whose(body))
            case "authorize":
                known.owner(self.accounts.all.get(secret) or next(iter(self.accounts.all.values())))
            case "login":
                known.command = "login"
                known.owner(self.accounts.check("access", verify.access_token(body))[1])
            case "process":
                known.command = verify.command_name(body)
                known.owner(self.accounts.check("session", secret)[1])
        return known

    def login(
        self, headers: Mapping[str, str], body: bytes, known: Known, rule: Rule | None = None
    ) -> Reply:
        """``POST /wal/authentication/login``."""
        known.platform = verify.platform_of(self.constants, headers, self.platforms)
        document = verify.document(body)
        product = str(document.get("productName"))
        platform = verify.product_platform(self.constants, product, self.platforms)
        verdict, account = self.accounts.check("access", str(document.get("accessToken")))
        known.owner(account)
        if account is None or verdict == "unknown":
            return replies.blaze_error("AUTH_ERR_INVALID_TOKEN")
        if verdict == "expired":
            return replies.blaze_error("AUTH_ERR_EXPIRED_TOKEN")
        if account.platform != platform:
            return replies.wrong_game(product)
        if rule is not None and rule.fault == "no_session":
            return replies.json({"userLoginInfo": {"blazeId": account.blaze_id}}, answer=rule.fault)
        if self.one_session:
            self.accounts.end_all("session", account)
        self._logins += 1
        session = self.accounts.issue("session", account)
        cookie = self.accounts.issue("cookie", account)
        return replies.login(account, session, cookie=cookie, listed=self._logins % 2 == 0)

    def process(
        self,
        headers: Mapping[str, str],
        session: str,
        query: Mapping[str, str],
        body: bytes,
        known: Known,
        rule: Rule | None = None,
    ) -> Reply:
        """``POST /wal/mca/Process/{session}``."""
        known.platform = verify.platform_of(self.constants, headers, self.platforms)
        message = verify.message(self.constants, body, self.clock() + self.clock_off)
        known.command = message.command
        verdict, account = self.accounts.check("session", session)
        known.owner(account)
        fault = rule.fault if rule is not None else ""
        if fault in {"session_kill", "token_kill"} and account is not None:
            self.accounts.end_all("session", account)
            if fault == "token_kill":
                self.accounts.end_all("access", account)
            verdict = "expired"
        if account is None or verdict != "valid":
            return replies.blaze_error("ERR_AUTHENTICATION_REQUIRED")
        known.request_id = verify.signature(self.constants, message, account)
        verdict, captured = self.accounts.check("bundle", message.auth_data)
        way = "signed" if captured is None else "bundles"
        if (captured is not None and verdict != "valid") or way not in self.signatures:
            text = "message authentication failed: authData is too old"
            raise RefusedError(replies.blaze_error("ERR_AUTHORIZATION_REQUIRED", text=text))
        return self.command(message.command, account, query, message.payload, rule)

    def command(
        self,
        name: str,
        account: Account,
        query: Mapping[str, str],
        payload: Mapping[str, Any],
        rule: Rule | None = None,
    ) -> Reply:
        """Carry out one command of a request that is in order."""
        now, market = int(self.advance() + self.clock_off), self.markets[account.platform]
        clock = rule.given if rule is not None and rule.fault == "clock_off" else None
        if clock is not None and clock["date"] != "right":
            now += int(clock["by"])
        if market.loses():
            raise RefusedError(replies.blaze_error("ERR_SYSTEM"))
        found: list[Auction] = []
        truncated = False
        if name == self.constants.search:
            told = market.behaviour
            offset, count, paged = _page(told, query, payload)
            if rule is not None and rule.row.offset is not None:
                offset = rule.row.offset(offset, count, rule.given)
            found = market.search(offset, count, str(payload.get("itemName", "")))
            reach = market.listed if paged else count
            truncated = market.listed > min(reach, told.truncate or reach)
        elif name == self.constants.refresh:
            found = _refreshed(market, payload)
        items = [Item(market.render(auction, now), auction.state.state_id) for auction in found]
        page = Page(items=items, truncated=truncated)
        if rule is not None and rule.row.page is not None:
            rule.row.page(page, rule.given)
        if clock is not None and clock["date"] == "right":
            wrong = (now + int(clock["by"])) * 1_000_000
            page.data["responseTime"] = wrong if clock["to"] is None else clock["to"]
        reply = replies.auctions(
            name,
            [item.body for item in page.items],
            shown=array("q", [item.state_id for item in page.items]),
            now=now,
            cached=(now - _CACHE_AGE) * 1_000_000 + 38_176,
            truncated=page.truncated,
            data=page.data,
            absent=page.absent,
            answer=page.answer,
        )
        return replace(reply, body=page.finish(reply.body))


def _page(
    told: Behaviour, query: Mapping[str, str], payload: Mapping[str, Any]
) -> tuple[int, int, bool]:
    """Offset, count and whether they were asked for; the URL goes before the payload."""
    sources: dict[str, Mapping[str, Any]] = {"url": query, "payload": payload}
    for way, source in sources.items():
        if told.paging in {way, "both"} and "offset" in source:
            try:
                offset, count = int(source["offset"]), int(source.get("count", told.page))
            except (TypeError, ValueError):
                raise RefusedError(replies.violation("offset or count is no number")) from None
            if offset < 0 or count < 0:
                raise RefusedError(replies.violation("offset or count is negative"))
            return offset, min(count, told.page), True
    return 0, told.page, False


def _refreshed(market: Market, payload: Mapping[str, Any]) -> list[Auction]:
    """What a refresh says of the ids it reads."""
    ids = payload.get("auctionIdList")
    if not isinstance(ids, list) or not all(type(item) is int for item in ids):
        raise RefusedError(replies.violation("auctionIdList is not a list of numbers"))
    known = list(market.find(ids[: market.behaviour.batch]))
    alive = [auction for auction in known if auction.ended is None]
    match market.behaviour.ended:
        case "omitted":
            return alive
        case "error" if len(alive) < len(known):
            raise RefusedError(replies.blaze_error("ERR_SYSTEM"))
    return known
