"""Every fault that the simulator can commit, as a table: its name, what it does, its members."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from typing import Any

from m26.sim import pages
from m26.sim.pages import Given, Page
from m26.sim.replies import (
    Delivery,
    Reply,
    blaze_error,
    failure,
    html,
    json,
    oauth_error,
    wrong_game,
    xml_error,
)

_OVER_LIMIT = 17 << 20
"""More than anybody should take for a reply, bytes."""
_PART = b'{"responseInfo":{"tdfid":2615288587,"value":{"details":[{"auctionId":5'


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row: at most one of `instead`, `offset`, `page` and `way`; else the backend does it."""

    what: str
    kind: str = "process"
    """The requests it strikes when its rule names none."""
    members: Given = field(default_factory=dict)
    """What a rule may give it, with the defaults; None: anything or nothing."""
    instead: Callable[[Given, float], Reply] | None = None
    """The answer in place of the gateway's, which never hears of the request."""
    offset: Callable[[int, int, Given], int] | None = None
    """Asked for (offset, count): the offset of the page given."""
    page: Callable[[Page, Given], None] | None = None
    """Change of a page that is right."""
    way: Delivery = "whole"
    """How the bytes travel."""


def _instead(what: str, make: Callable[[Given, float], Reply], **members: Any) -> Fault:  # noqa: ANN401 - JSON values
    return Fault(what=what, instead=make, members=members)


def _page(what: str, change: Callable[[Page, Given], None], **members: Any) -> Fault:  # noqa: ANN401 - JSON values
    return Fault(what=what, page=change, members=members)


def _oauth(what: str, **members: Any) -> Fault:  # noqa: ANN401 - JSON values
    return Fault(
        what=what,
        kind="token",
        members=members,
        instead=lambda g, _: oauth_error(g["name"], g["text"], g["status"]),
    )


def _retry_after(given: Given, now: float) -> dict[str, str]:
    seconds = given["retry_after"]
    if seconds is None:
        return {}
    date = formatdate(now + seconds, usegmt=True)
    return {"retry-after": date if given["as_date"] else str(seconds)}


def _blaze(given: Given, _: float) -> Reply:
    return blaze_error(
        given["name"],
        given["component"],
        given["text"],
        number=given["number"],
        tdf=given["tdf"],
    )


def _body(given: Given, _: float) -> Reply:
    return Reply(
        body=given["text"].encode("utf-8", "surrogatepass"),
        status=given["status"],
        content_type=given["content_type"],
        answer="injected body",
    )


@cache
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(_PART + b" " * size) + packer.flush()


FAULTS: Mapping[str, Fault] = {
    # HTTP and what stands before the gateway
    "status": _instead(
        "an HTTP status; form: html, xml, json, empty",
        lambda g, _: failure(g["status"], g["form"], g["text"]),
        status=500,
        form="html",
        text="Error",
    ),
    "rate_limit": _instead(
        "HTTP 429, with Retry-After in seconds or, as_date, as an HTTP date",
        lambda g, now: html(429, "Too Many Requests", _retry_after(g, now)),
        retry_after=None,
        as_date=False,
    ),
    "html_403": _instead("HTTP 403 of the edge", lambda *_: html(403, "Access Denied")),
    "unauthorized": _instead("HTTP 401, a page", lambda *_: html(401, "Unauthorized")),
    "session_unauthorized": _instead(
        "HTTP 401 that names the session",
        lambda *_: xml_error(401, "The session key is not valid"),
    ),
    "unavailable": _instead("HTTP 503", lambda *_: html(503, "Service Unavailable")),
    "xml_404": _instead(
        "HTTP 404 for a product that is not served",
        lambda g, _: wrong_game(g["name"]),
        name="madden-2026-sim-gen5",
    ),
    # HTTP 200, and yet no success
    "error": _instead(
        "a Blaze error; name may be empty; tdf, which holds the text: errortdf, errordf or empty",
        _blaze,
        name="ERR_CANCELED",
        number=None,
        component=None,
        text="Injected.",
        tdf="errortdf",
    ),
    "timeout": _instead(
        "ERR_TIMEOUT", lambda *_: blaze_error("ERR_TIMEOUT", text="The request timed out.")
    ),
    "system": _instead("ERR_SYSTEM, bare", lambda *_: blaze_error("ERR_SYSTEM")),
    "success_false": _instead(
        '{"success":false}', lambda *_: json({"success": False}, answer="success false")
    ),
    "code_in_success": _instead(
        '{"code":NUMBER,"message":TEXT}',
        lambda g, _: json({"code": g["number"], "message": g["text"]}, answer="code in success"),
        number=401,
        text="Injected.",
    ),
    "unknown_json": _instead(
        "JSON that is neither a page nor an error",
        lambda *_: json({"weather": ["fine"]}, answer="unknown json"),
    ),
    "malformed": _instead(
        "JSON that breaks off", lambda *_: Reply(body=_PART, answer="malformed json")
    ),
    "html_200": _instead("a web page", lambda *_: html(200, "Welcome")),
    "xml_200": _instead(
        "an XML error",
        lambda g, _: xml_error(200, g["text"], number=g["number"]),
        number=0,
        text="Injected.",
    ),
    "empty": _instead("no body", lambda *_: Reply(body=b"", answer="empty")),
    "body": _instead(
        "any text",
        _body,
        text="",
        status=200,
        content_type="application/json",
    ),
    "encoding": _instead(
        "a Content-Encoding that nobody asked for",
        lambda g, _: Reply(
            body=b"\x0b\x02\x80[]\x03", answer="encoding", headers={"content-encoding": g["name"]}
        ),
        name="br",
    ),
    "too_large": _instead(
        "an honest body of size bytes, not compressed",
        lambda g, _: Reply(body=_PART + b" " * g["size"], answer="too large", plain=True),
        size=_OVER_LIMIT,
    ),
    "gzip_bomb": _instead(
        "a body of size bytes that is small on the wire",
        lambda g, _: Reply(
            body=_bomb(g["size"]), answer="gzip bomb", headers={"content-encoding": "gzip"}
        ),
        size=_OVER_LIMIT,
    ),
    # pages that are not what they seem
    "ui_error": _page(
        "uiErrorCode and a message, no auctions",
        pages.ui_error,
        number=2,
        text="Unable to resume previous location in Ultimate Team. Please try again.",
    ),
    "ui_warning": _page(
        "uiErrorCode and a message beside the auctions",
        pages.ui_warning,
        number=5,
        text="Injected.",
    ),
    "captcha": _page(
        "all captcha fields set and no auctions; or one member with a value: the look-alikes"
        ' null, false, 0, "0" and blank ones, and absent fields, come with the page',
        pages.captcha,
        member="",
        value=None,
        absent=False,
    ),
    "empty_page": _page("no auctions, uiErrorCode 0", pages.empty),
    "stale": _page("every postingTime days earlier", pages.stale, days=400),
    "cut_page": _page("a page whose text breaks off half-way", pages.cut),
    "truncated": _page('"truncated":true', pages.truncated),
    "page_repeated": Fault(
        what="the page before the one asked for",
        offset=lambda offset, count, _: max(0, offset - count),
    ),
    "page_shifted": Fault(
        what="a page that begins later, or earlier, than asked for",
        members={"by": 10},
        offset=lambda offset, _, g: max(0, offset + int(g["by"])),
    ),
    "vanish": _page("auctions of ids missing; without ids the first one", pages.vanish, ids=[]),
    "poison": _page(
        "one auction that cannot be stored, its neighbours fine; how: " + ", ".join(pages.POISON),
        pages.poison,
        how="nan",
        place=-1,
    ),
    "control_bytes": _page("raw control bytes inside strings", pages.control_bytes),
    "bom": _page("a byte order mark first", pages.bom),
    "new_member": _page("members that are new", pages.new_member),
    "odd_members": _page(
        "odd values of legal JSON in members that nobody stores, twice, and in names",
        pages.odd_members,
    ),
    "new_status": _page("an auctionStatus that is new", pages.new_status),
    # on the way
    "half_gzip": Fault(what="half a gzip stream as a whole reply", way="half_gzip"),
    "short_body": Fault(what="fewer bytes than Content-Length says, then the end", way="short"),
    "reset": Fault(what="half a reply, then a reset", way="reset"),
    "lost_answer": Fault(what="carried out, then a reset in place of the answer", way="lost"),
    "black_hole": Fault(
        what="no answer at all, nothing is carried out",
        instead=lambda *_: Reply(body=b"", status=0, answer="none"),
        way="silent",
    ),
    "drip": Fault(what="a reply that takes seconds", members={"seconds": 60.0}, way="drip"),
    # of the backend itself
    "session_kill": Fault(what="the account's sessions end"),
    "token_kill": Fault(what="the account's sessions and access tokens end"),
    "clock_off": Fault(
        what="the server's clock is off by seconds in a reply, and its Date with it; or that is "
        "absent, or right: then responseTime alone is wrong, or what is given as `to`",
        members={"by": 3_600, "date": "off", "to": None},
    ),
    "no_session": Fault(what="a login answered without sessionKey", kind="login"),
    # the token service
    "invalid_grant": _oauth(
        "a refused grant; with status 200 an error inside success",
        name="invalid_grant",
        text="refresh_token is invalid",
        status=400,
    ),
    "oauth_error": _oauth(
        "a refused token request",
        name="invalid_client",
        text="Injected.",
        status=400,
    ),
    "no_refresh_token": Fault(
        what="HTTP 200 with an access token only; nothing rotates", kind="token"
    ),
    "no_access_token": Fault(
        what="HTTP 200 with the refresh token of the request only; nothing rotates", kind="token"
    ),
}

WORDS: Mapping[str, Collection[str]] = {
    "form": frozenset({"html", "xml", "json", "empty"}),
    "tdf": frozenset({"errortdf", "errordf", ""}),
    "how": pages.POISON.keys(),
    "date": frozenset({"off", "right", "absent"}),
}
"""Members of faults that are one of a few words."""
