"""A page of auctions before it is put together, and the ways in which a fault changes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from m26.sim.records import NOT_SERVED

Given = Mapping[str, Any]
"""What a fault was given: each of its members, by default or by its rule."""

_DAY = 86_400
_ID = rb'"auctionId":(\d+)'
_TEXT = rb'"acquisitionDescription":""'
"""Empty on the wire, and the copy's: what is put in changes no card."""
_CAPTCHA = {
    "captchaGuid": "CANARY-CAPTCHA-GUID",
    "captchaPublicKey": "CANARY-CAPTCHA-KEY",
    "captchaUrl": "https://captcha.invalid/",
}
_NESTED = 100_000
_ODD = (
    rb'["\u0000","\udc00\ud800",1e400,-0.1e-999,18446744073709551616,-0,{"a":1,"a":{"\u0000":2}},%b%b]'
    % (b"[" * 500, b"]" * 500)
)
_MEMBERS = b'"titleUpdate":%b,"titleUpdate":%b,"\\u0000\\ud800":1' % (_ODD, _ODD)


def _as_it_is(raw: bytes) -> bytes:
    """What a match is replaced by, of which nothing has a meaning."""
    return raw.replace(b"\\", rb"\\")


def _in_text(raw: bytes) -> tuple[bytes, bytes]:
    return _TEXT, b'"acquisitionDescription":"' + _as_it_is(raw) + b'"'


def _in_status(raw: bytes) -> tuple[bytes, bytes]:
    return rb'"AUCTIONSTATUS_(\w+)"', rb'"AUCTIONSTATUS_\1' + _as_it_is(raw) + b'"'


POISON: Mapping[str, tuple[bytes, bytes]] = {
    "nan": (rb'"currentBid":\d+', b'"currentBid":NaN'),
    "infinite": (rb'"buyoutPrice":\d+', b'"buyoutPrice":1e400'),
    "int64": (_ID, b'"auctionId":9223372036854775808'),
    "float_id": (_ID, rb'"auctionId":\1.0'),
    "text_id": (_ID, rb'"auctionId":"\1"'),
    "bool_price": (rb'"buyoutPrice":\d+', b'"buyoutPrice":true'),
    "negative": (rb'"currentBid":\d+', b'"currentBid":-1'),
    "duplicate_key": (_ID, rb'"auctionId":\1,"auctionId":1'),
    "missing": (_ID + b",", b""),
    "null": (_ID, b'"auctionId":null'),
    "surrogate": _in_status(rb"\ud83d"),
    "nul": _in_status(rb"\u0000"),
    "bad_utf8": _in_text(b"\xff\xfe"),
    "cesu8": _in_text(b"\xed\xa0\xbd\xed\xb8\x80"),
    "deep": (rb'"nextBid":\d+', b'"nextBid":' + b"[" * _NESTED + b"]" * _NESTED),
    "no_object": (rb"(?s).+", b"null"),
}
"""Ways to make one auction impossible to store: pattern and what comes in its place."""


@dataclass(slots=True)
class Item:
    """One auction as it goes onto the wire."""

    body: bytes
    state_id: int
    """Of what it shows, or `NOT_SERVED`."""

    def edit(self, pattern: bytes, by: bytes, *, true: bool = False) -> None:
        """Replace the first match; unless the rest stays `true`, it no longer counts as served."""
        self.body = re.sub(pattern, by, self.body, count=1)
        if not true:
            self.state_id = NOT_SERVED


@dataclass(slots=True, kw_only=True)
class Page:
    """What a reply to a list command says."""

    items: list[Item]
    truncated: bool = False
    data: dict[str, Any] = field(default_factory=dict)
    """Members of responseData that are not as usual."""
    absent: set[str] = field(default_factory=set)
    """Members of responseData that are not there."""
    answer: str = "ok"
    """For the ledger."""
    finish: Callable[[bytes], bytes] = bytes
    """Last change of the whole body."""


def truncated(page: Page, _: Given) -> None:
    """Say that the list was cut."""
    page.truncated = True


def empty(page: Page, _: Given) -> None:
    """List nothing, with uiErrorCode 0."""
    page.items.clear()


def ui_error(page: Page, given: Given) -> None:
    """Give an error's number and text and no auctions."""
    page.items.clear()
    ui_warning(page, given)


def ui_warning(page: Page, given: Given) -> None:
    """Give an error's number and text beside the auctions."""
    page.data |= {"uiErrorCode": given["number"], "message": given["text"]}
    page.answer = f"uiErrorCode {given['number']}"


def captcha(page: Page, given: Given) -> None:
    """Fill captcha fields; a captcha that is one comes with no auctions."""
    if given["absent"]:
        page.absent |= {"captchaTimeout", "captchaPrivacyMsg", *_CAPTCHA}
        return
    value, member = given["value"], given["member"]
    page.data |= {member: value} if member else _CAPTCHA
    look_alike = value in (None, False, 0, "0") or (isinstance(value, str) and not value.strip())
    if not member or not look_alike:
        page.items.clear()
        page.answer = "captcha"


def vanish(page: Page, given: Given) -> None:
    """Leave out the auctions of `ids`, or the first one."""
    if not given["ids"]:
        del page.items[:1]
    names = [b'{"auctionId":%d,' % number for number in given["ids"]]
    page.items = [item for item in page.items if not item.body.startswith(tuple(names))]


def stale(page: Page, given: Given) -> None:
    """Show a market of long ago."""
    for item in page.items:
        posted = re.search(rb'"postingTime":(\d+)', item.body)
        assert posted is not None
        past = int(posted[1]) - given["days"] * _DAY
        item.edit(rb'"postingTime":\d+', b'"postingTime":%d' % past)
    page.answer = "stale"


def cut(page: Page, _: Given) -> None:
    """Break off in the middle of the text."""
    for item in page.items:
        item.state_id = NOT_SERVED
    page.finish = lambda body: body[: len(body) // 2]
    page.answer = "cut page"


def control_bytes(page: Page, _: Given) -> None:
    """Put raw control bytes into strings, of auctions and of responseData."""
    for item in page.items:
        item.edit(_TEXT, b'"acquisitionDescription":"a\x01\t\nb"', true=True)
    page.finish = lambda body: body.replace(b'"messageTitle":""', b'"messageTitle":"\x02"')


def bom(page: Page, _: Given) -> None:
    """Begin with a byte order mark."""
    page.finish = lambda body: b"\xef\xbb\xbf" + body


def poison(page: Page, given: Given) -> None:
    """Make one auction impossible to store, the middle one or that at `place`."""
    place = len(page.items) // 2 if given["place"] < 0 else given["place"]
    for item in page.items[place : place + 1]:
        item.edit(*POISON[given["how"]])


def new_member(page: Page, _: Given) -> None:
    """Members that nobody has seen yet, in every auction and in responseData."""
    for item in page.items:
        item.edit(rb'"buyerId":1', b'"buyerId":1,"titleUpdate":{"feature":[1]}', true=True)
    page.data["titleUpdate"] = 1


def odd_members(page: Page, _: Given) -> None:
    """Odd values of legal JSON in every member that nobody stores, of auctions and around them."""
    odd, members = _as_it_is(_ODD), _as_it_is(_MEMBERS)
    for item in page.items:
        item.edit(rb'"buyerId":1', b'"buyerId":' + odd + b"," + members, true=True)
        item.edit(_TEXT, _as_it_is(rb'"acquisitionDescription":"\u0000\ud83d"'), true=True)

    def around(body: bytes) -> bytes:
        for before in (rb"\A\{", rb'"cacheTime":\d+', rb'(?=,"truncated":)'):
            added = members + b"," if before.startswith(rb"\A") else b"," + members
            body = re.sub(before, rb"\g<0>" + added, body, count=1)
        return body

    page.finish = around


def new_status(page: Page, _: Given) -> None:
    """A status that nobody has seen yet, in the middle auction."""
    for item in page.items[len(page.items) // 2 :][:1]:
        item.edit(rb'"AUCTIONSTATUS_\w+"', b'"AUCTIONSTATUS_PAUSED"')
