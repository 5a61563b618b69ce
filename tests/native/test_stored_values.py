"""Whatever the core lets through, PostgreSQL takes: no COPY fails for a value's sake."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from typing import Any

import asyncpg
import pytest
from tests.native.test_golden_copy import staged
from tests.support.wire import auction, body, card

from m26 import _native

pytestmark = pytest.mark.anyio

# Values as text: some of them no JSON library of Python would write.
EDGES = [
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "-" + "9" * 999,
    "1e308",
    "-1e400",
    "1e400",
    "-1.7976931348623157e308",
    "4.9e-324",
    "1e-400",
    "-0.0",
    "0e400",
    "0." + "0" * 990 + "1",
    "1" * 18 + "." + "1" * 900 + "e-80",
    r'"\u0001\u001f\u007f\u0080\u009f\u2028"',
    r'"\ufffe\uffff\ud83d\ude00\udbff\udfff"',
    r'"\b\f\n\r\t\/\\\""',
    '"' + "é" * 40_000 + '"',
    "[" * 63 + "]" * 63,
    '{"a":' * 50 + "1" + "}" * 50,
    "{" + ",".join(f'"k{n}":{n}' for n in range(2_000)) + "}",
    '{"":""}',
]
# JSON that jsonb refuses, and what stands in its place.
POISON: dict[str, Any] = {
    "1e-20000": "1e-20000",
    "0e-99999": "0e-99999",
    "1e200000": "1e200000",
    "0e99999999999999999999": "0e99999999999999999999",
    "0." + "0" * 17_000 + "1": "0." + "0" * 17_000 + "1",
    r'"a\u0000b"': "a\ufffdb",
    r'"\ud800"': "\ufffd",
    r'{"\u0000":1}': {"\ufffd": 1},
}


exactly = partial(json.loads, parse_int=Decimal, parse_float=Decimal)


def page(*values: str) -> bytes:
    """One auction a value, which stands in its card's definition."""
    items = [auction(n, card=card(n, novelty=f"@{n}@")) for n in range(1, len(values) + 1)]
    text = body(*items).decode()
    for n, value in enumerate(values, 1):
        text = text.replace(f'"@{n}@"', value)
    return text.encode()


def normalized(*values: str) -> _native.Batch:
    normalizer = _native.Normalizer(per_copy=["cardInstanceId"], positions={})
    return normalizer.normalize([page(*values)], platforms=["ps5"], fetched_at=[0])


async def test_values_at_the_edge_are_stored_and_mean_the_same(database: str) -> None:
    batch = normalized(*EDGES)
    assert batch.rejects == []
    async with staged(database) as connection:
        await connection.copy_to_table("auctions", source=batch.auctions, format="binary")
        await connection.copy_to_table("cards", source=batch.cards, format="binary")
        rows = await connection.fetch("SELECT attributes FROM cards ORDER BY card_id")
    for edge, row in zip(EDGES, rows, strict=True):
        assert exactly(row["attributes"])["novelty"] == exactly(edge), edge[:60]


async def test_values_that_jsonb_refuses_cost_neither_auction_nor_card(database: str) -> None:
    batch = normalized("1", *POISON, "2")
    kept = [(reject[1], reject[4]) for reject in batch.rejects]
    assert kept == [(place, "card_mended") for place in range(1, len(POISON) + 1)]
    assert batch.auctions.rows == len(POISON) + 2
    async with staged(database) as connection:
        await connection.copy_to_table("cards", source=batch.cards, format="binary")
        rows = await connection.fetch("SELECT name, attributes FROM cards ORDER BY card_id")
        assert {row["name"] for row in rows} == {"Drew Sanders"}
        stored = [json.loads(row["attributes"])["novelty"] for row in rows]
        assert stored == [1, *POISON.values(), 2]
        for poison in POISON:
            statement = "SELECT $1::text::jsonb"
            with pytest.raises(asyncpg.DataError):
                await connection.fetchval(statement, poison)


async def test_text_columns_take_any_characters(database: str) -> None:
    odd: Any = "\x01\x1f\x7f\x85\u2028\ufffe😀'\"\\"
    item = auction(1, auctionStatus=odd, card=card(1, firstName=odd, type=odd))
    normalizer = _native.Normalizer(per_copy=[], positions={14: odd})
    batch = normalizer.normalize([body(item)], platforms=[odd], fetched_at=[0])
    async with staged(database) as connection:
        await connection.copy_to_table("auctions", source=batch.auctions, format="binary")
        await connection.copy_to_table("cards", source=batch.cards, format="binary")
        stored = await connection.fetchrow(
            "SELECT platform, status, name, position, type FROM auctions CROSS JOIN cards"
        )
    assert tuple(stored) == (odd, odd, f"{odd} Sanders", odd, odd)
