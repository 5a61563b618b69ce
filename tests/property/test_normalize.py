"""Rows in Rust equal what orjson and plain dict access give; what only one refuses is listed."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.wire import T0, auction, body, card

from m26 import _native
from m26._native import AUCTION_COLUMNS, CARD_COLUMNS, Batch
from m26.upstream.profile import Profile

RULES = Profile.load("madden26").card
PLAUSIBLE = range(946_684_800, 4_102_444_800)
OBSERVED = T0 * 1_000_000
PRICES = ("buyoutPrice", "medianAuctionPrice", "minListingPrice", "maxListingPrice")

quick = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


class UnusableError(Exception):
    """The reference has no row for this item."""


def integer(item: dict[str, Any], name: str, *, least: int = 0) -> int | None:
    """What a bigint column holds; None for anything else."""
    value = item.get(name)
    return value if type(value) is int and least <= value < 2**63 else None


def required(item: dict[str, Any], name: str, *, least: int = 0) -> int:
    value = integer(item, name, least=least)
    if value is None:
        raise UnusableError(name)
    return value


def of_the_copy(seen: dict[str, Any], name: str) -> int | None:
    return integer(seen, name, least=-(2**63))


def reference(item: Any) -> dict[str, Any]:
    """The columns of an auction that need no hash."""
    if not isinstance(item, dict):
        raise UnusableError("item")
    seen, status = item.get("card"), item.get("auctionStatus")
    if not isinstance(seen, dict) or not isinstance(status, str) or "\0" in status:
        raise UnusableError("card, auctionStatus")
    status = status.removeprefix("AUCTIONSTATUS_").lower()
    if not 0 < len(status.encode()) <= 64:
        raise UnusableError("auctionStatus")
    if type(item.get("buyoutPrice")) not in (int, type(None)):
        raise UnusableError("buyoutPrice")
    prices = {name: integer(item, name) for name in PRICES}
    bids, posted = required(item, "numberOfBids"), required(item, "postingTime")
    current, following = required(item, "currentBid"), required(item, "nextBid")
    remaining = max(0, required(item, "secondsRemaining", least=-(2**63)))
    if bids >= 2**31 or posted not in PLAUSIBLE or remaining > 366 * 86_400:
        raise UnusableError("numberOfBids, postingTime, secondsRemaining")
    acquired = of_the_copy(seen, "acquisitionTimestamp")
    return {
        "platform": "ps5",
        "auction_id": required(item, "auctionId", least=1),
        "card_id": required(seen, "cardId", least=1),
        "card_instance_id": of_the_copy(seen, "cardInstanceId"),
        "acquired_at": acquired if acquired and acquired // 1_000_000 in PLAUSIBLE else None,
        "posted_at": posted * 1_000_000,
        "expires_at": OBSERVED + remaining * 1_000_000,
        "status": status,
        "start_price": current if bids == 0 and current == following else None,
        "buyout_price": prices["buyoutPrice"] or None,
        "current_bid": current,
        "next_bid": following,
        "bids": bids,
        "median_price": prices["medianAuctionPrice"],
        "min_price": prices["minListingPrice"],
        "max_price": prices["maxListingPrice"],
        "observed_at": OBSERVED,
    }


def definition(seen: dict[str, Any]) -> dict[str, Any]:
    kept = held({name: value for name, value in seen.items() if name not in RULES.per_copy})
    same = canonical(kept.get("cardData")) == canonical(kept.get("staticCardData"))
    if same and "cardData" in kept:
        kept.pop("staticCardData", None)
    return kept


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def held(value: Any) -> Any:
    """The value as PostgreSQL can hold it."""
    if isinstance(value, dict):
        return {held(name): held(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [held(inside) for inside in value]
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def read(*pages: bytes) -> Batch:
    native = _native.Normalizer(per_copy=RULES.per_copy, positions=RULES.positions)
    count = len(pages)
    return native.normalize(pages, platforms=["ps5"] * count, fetched_at=[0] * count)


integers = st.one_of(
    st.integers(-3, 200),
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([2**31 - 1, 2**31, 2**63 - 1, 2**63, T0, T0 * 10**6, 366 * 86_400]),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.one_of(
    st.none(), st.booleans(), integers, st.floats(allow_nan=False, allow_infinity=False), texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
statuses = texts | st.sampled_from(["ENDED", "AUCTIONSTATUS_EXPIRED", "İ", "AUCTIONSTATUS_"])


@st.composite
def cards(draw: st.DrawFn) -> Any:
    made = card(draw(st.integers(1, 3)), instance=draw(st.integers(1, 3)))
    changes = st.dictionaries(st.sampled_from([*made, "novelty", "isBound"]), values, max_size=2)
    made |= draw(changes)
    return dict(draw(st.permutations(list(made.items()))))


@st.composite
def items(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 19)) == 0:
        return draw(values)
    made = auction(draw(st.integers(1, 2**40)), card=draw(cards()))
    kind = draw(st.sampled_from(["plain", "integers", "anything", "less"]))
    names = st.sampled_from([name for name in made if name not in ("card", "auctionStatus")])
    if kind == "integers":
        made |= draw(st.dictionaries(names, integers, max_size=4))
        made["auctionStatus"] = draw(statuses)
    elif kind == "anything":
        made |= draw(st.dictionaries(st.sampled_from([*made, "novelty"]), values, max_size=2))
    elif kind == "less":
        for name in draw(st.sets(st.sampled_from(list(made)), max_size=2)):
            del made[name]
    return dict(draw(st.permutations(list(made.items()))))


@quick
@given(listed=st.lists(items(), max_size=4), indent=st.sampled_from([None, 1]))
def test_rows_equal_those_of_orjson_and_dict_access(listed: list[Any], indent: int | None) -> None:
    page = json.dumps(orjson.loads(body()), indent=indent).encode()
    text = json.dumps(listed, indent=indent, ensure_ascii=indent is None).encode()
    page = page.replace(b'"details": []', b'"details": ' + text)
    details = orjson.loads(page)["responseInfo"]["value"]["details"]
    expected = {}
    for place, item in enumerate(details):
        try:
            expected[place] = reference(item)
        except UnusableError:
            continue

    batch = read(page, page)
    names = [name for name, _ in AUCTION_COLUMNS]
    rows = [dict(zip(names, row, strict=True)) for row in batch.rows()]
    assert [reject[:2] for reject in batch.rejects if reject[4] != "card_mended"] == [
        (number, place)
        for number in range(2)
        for place in range(len(details))
        if place not in expected
    ]
    found = [(row.pop("page"), row.pop("item")) for row in rows]
    assert found == [(number, place) for number in range(2) for place in expected]
    versions = [(row["card_id"], row.pop("card_version")) for row in rows]
    assert rows == [*expected.values()] * 2

    definitions = [canonical(definition(details[place]["card"])) for place in expected] * 2
    pairs = set(zip(versions, definitions, strict=True))
    assert len(pairs) == len(set(versions)) == len(set(definitions))
    names = [name for name, _ in CARD_COLUMNS]
    sent = [dict(zip(names, row, strict=True)) for row in batch.card_rows()]
    assert {
        ((row["card_id"], row["version"]), canonical(orjson.loads(row["attributes"])))
        for row in sent
    } == pairs


@quick
@given(value=values, data=st.data())
def test_what_orjson_accepts_costs_no_row_in_a_member_that_is_no_column(
    value: Any, data: st.DataObject
) -> None:
    text = bytearray(json.dumps(value, ensure_ascii=False).encode())
    words = [
        b"1e400",
        b"1e-20000",
        b"18446744073709551616",
        b"\\u0000",
        b"\\ud800",
        b"\xed\xa0\x80",
    ]
    words += [
        b"[" * 70 + b"]" * 70,
        b'{"a":1,"a":2}',
        b"\x01",
        b"NaN",
        b"-",
        b'"',
        b"}",
        b" ",
        b"0",
    ]
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from(words))
    name = data.draw(st.sampled_from(["novelty", "card"]))
    item = auction(2, **({"card": card(1, novelty="@@")} if name == "card" else {"novelty": "@@"}))
    page = body(auction(1), item, auction(3)).replace(b'"@@"', bytes(text))

    batch = read(page)
    reasons = {reject[4] for reject in batch.rejects}
    try:
        orjson.loads(page)
    except orjson.JSONDecodeError:
        repaired = any(kind == "control_bytes" for _, kind, *_ in batch.drift)
        taken = b"\\ud800" in text or re.search(rb"[eE]\+?\d{3}", text)  # beyond a double
        assert reasons or repaired or taken
    else:
        assert reasons <= {"card_mended"}
        assert len(batch.rows()) == 3
    assert _native.peek(page).kind == ("malformed" if len(batch.rows()) == 0 else "search")
