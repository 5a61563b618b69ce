"""What stands behind the gateway: verified requests in; tokens, sessions and pages out."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from m26.sim import replies, verify
from m26.sim.accounts import Account, Accounts
from m26.sim.constants import Constants
from m26.sim.faults import Faults, Rule
from m26.sim.ledger import Ledger
from m26.sim.market import Auction, Market
from m26.sim.replies import AUTH, RefusedError, Reply

_RESUME = (2, "Unable to resume previous location in Ultimate Team. Please try again.")
_CACHE_AGE = 8 * 3_600
"""The real cacheTime is hours old and says nothing; so is this one."""


@dataclass(slots=True)
class Known:
    """What a request turns out to be while it is answered; kept also when it is refused."""

    account: str = ""
    platform: str = ""
    command: str = ""
    request_id: int | None = None

    def owner(self, account: Account | None) -> None:
        """Note whose request it is."""
        if account is not None:
            self.account, self.platform = account.name, account.platform


@dataclass(slots=True, kw_only=True)
class Backend:
    """The upstream's own state and rules; knows nothing of HTTP connections."""

    constants: Constants
    ledger: Ledger
    accounts: Accounts
    markets: Mapping[str, Market]
    faults: Faults
    clock: Callable[[], float] = time.time
    paging: frozenset[str] = frozenset({"url", "payload"})
    """Ways of asking for a page that are honoured."""
    answered: Counter[str] = field(default_factory=Counter, init=False)
    """Requests over HTTP since the start, by kind."""
    _logins: int = field(default=0, init=False)

    def stats(self) -> dict[str, Any]:
        """What happened so far."""
        markets = {
            name: {"alive": len(market), "listed": market.listed, "frozen": market.frozen}
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
    def platforms(self) -> frozenset[str]:
        """Platforms that have a market."""
        return frozenset(self.markets)

    def advance(self) -> float:
        """Move all markets to now; the time."""
        now = self.clock()
        for market in self.markets.values():
            market.advance(now)
        return now

    def token(self, body: bytes, known: Known) -> Reply:
        """``POST /connect/token``."""
        form, own = dict(parse_qsl(body.decode("utf-8", "replace"))), self.constants
        client = (form.get("client_id"), form.get("client_secret"))
        if client != (own.client_id, own.client_secret):
            return replies.oauth_error("invalid_client", "client_id or client_secret is wrong")
        fixed = {
            "redirect_uri": own.redirect_uri,
            "release_type": own.release_type,
            "authentication_source": own.authentication_source,
            "token_format": "JWS",
        }
        wrong = [name for name, value in fixed.items() if form.get(name) != value]
        if wrong:
            return replies.oauth_error("invalid_request", f"{wrong[0]} is missing or wrong")
        match form.get("grant_type"):
            case "refresh_token":
                given = form.get("refresh_token", "")
                verdict, account = self.accounts.check("refresh", given)
            case "authorization_code":
                given = form.get("code", "")
                verdict, account = self.accounts.check("code", given)
            case _:
                return replies.oauth_error("unsupported_grant_type", "grant_type is not known")
        known.owner(account)
        if account is None or verdict != "valid":
            return replies.oauth_error("invalid_grant", "the grant is invalid or has expired")
        if form["grant_type"] == "refresh_token":
            refresh = self.accounts.rotate(given)
        else:
            self.accounts.spend(given)
            refresh = self.accounts.issue("refresh", account)
        document = {
            "access_token": self.accounts.issue("access", account),
            "token_type": "Bearer",
            "expires_in": int(self.accounts.life.access),
            "refresh_token": refresh,
            "id_token": self.accounts.issue("identity", account),
        }
        return replies.json(document, headers={"cache-control": "no-store"})

    def login(self, headers: Mapping[str, str], body: bytes, known: Known) -> Reply:
        """``POST /wal/authentication/login``."""
        known.command = "login"
        known.platform = verify.platform_of(self.constants, headers, self.platforms)
        document = verify.document(body)
        product = str(document.get("productName"))
        platform = verify.product_platform(self.constants, product, self.platforms)
        verdict, account = self.accounts.check("access", str(document.get("accessToken")))
        known.owner(account)
        if account is None or verdict == "unknown":
            return replies.blaze_error("AUTH_ERR_INVALID_TOKEN", AUTH)
        if verdict == "expired":
            return replies.blaze_error("AUTH_ERR_EXPIRED_TOKEN", AUTH)
        if account.platform != platform:
            return replies.wrong_game(product)
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
        message = verify.message(self.constants, body, self.clock())
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
        if captured is not None and verdict != "valid":
            text = "message authentication failed: authData is too old"
            raise RefusedError(replies.blaze_error("ERR_AUTHORIZATION_REQUIRED", text=text))
        return self.command(message.command, account, query, message.payload, fault)

    def command(
        self,
        name: str,
        account: Account,
        query: Mapping[str, str],
        payload: Mapping[str, Any],
        fault: str = "",
    ) -> Reply:
        """Carry out one command of a request that is in order."""
        now, market = int(self.advance()), self.markets[account.platform]
        found: list[Auction] = []
        truncated = fault == "truncated"
        if fault == "ui_error":
            pass
        elif name == self.constants.search:
            offset, count, paged = self._page(query, payload)
            found = market.search(offset, count, str(payload.get("itemName", "")))
            truncated = truncated or (not paged and market.listed > count)
        elif name == self.constants.refresh:
            found = list(market.find(self._ids(payload)))
        return replies.auctions(
            name,
            [market.render(auction, now) for auction in found],
            shown=array("q", [auction.state.state_id for auction in found]),
            now=now,
            cached=(now - _CACHE_AGE) * 1_000_000 + 38_176,
            truncated=truncated,
            error=_RESUME if fault == "ui_error" else (0, ""),
            captcha=fault == "captcha",
        )

    def _page(self, query: Mapping[str, str], payload: Mapping[str, Any]) -> tuple[int, int, bool]:
        """Offset, count and whether they were asked for; the URL goes before the payload."""
        limit = self.constants.page
        sources: dict[str, Mapping[str, Any]] = {"url": query, "payload": payload}
        for way, source in sources.items():
            if way in self.paging and "offset" in source:
                try:
                    offset, count = int(source["offset"]), int(source.get("count", limit))
                except (TypeError, ValueError):
                    raise RefusedError(replies.violation("offset or count is no number")) from None
                if offset < 0 or count < 0:
                    raise RefusedError(replies.violation("offset or count is negative"))
                return offset, min(count, limit), True
        return 0, limit, False

    def _ids(self, payload: Mapping[str, Any]) -> list[int]:
        ids = payload.get("auctionIdList")
        if not isinstance(ids, list) or not all(type(item) is int for item in ids):
            raise RefusedError(replies.violation("auctionIdList is not a list of numbers"))
        return ids[: self.constants.page]
