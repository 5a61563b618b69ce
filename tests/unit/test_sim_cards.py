"""The simulator's cards have the real wire's shape, and are cheap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from m26.sim.cards import Card, Deck, auction_json
from m26.sim.lots import lots

_TYPES = {bool: "bool", int: "int", str: "str", float: "float", type(None): "null"}
_FREE_KEYS = {"positionOvrRatings"}  # its member names are data
_SHAPE = Path(__file__).with_name("search_reply_shape.txt")
_REAL = Path(__file__).parents[3] / "shared" / "data" / "search-reply-real.json"


def shape(value: Any) -> list[str]:
    """Member names in wire order with their types, indented; of a list, all elements together."""
    return list(dict.fromkeys(_lines(value, "")))


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _lines(element, indent)
    elif isinstance(value, dict):
        for name, member in value.items():
            kind = "list" if isinstance(member, list) else _TYPES.get(type(member), "object")
            yield f"{indent}{name} {kind}"
            free = name in _FREE_KEYS
            inner = {"*": next(iter(member.values()))} if free else member
            yield from _lines(inner, f"{indent}  ")


def wire(card: Card, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "auction_id": 57_000_001,
        "instance_id": 4_100_000_007,
        "acquired": 1_786_827_339_000_000,
        "buyout": 2_787,
        "current_bid": 250,
        "next_bid": 300,
        "bids": 1,
        "posted": 1_786_827_435,
        "seconds_remaining": 4_424,
    }
    return auction_json(card, **(fields | changes))


def test_an_auction_has_the_members_of_the_real_wire_in_their_order_with_their_types(
    seed: int,
) -> None:
    lines = _SHAPE.read_text("utf-8").splitlines()
    start = lines.index("    details list") + 1
    end = lines.index("    responseData object")
    wanted = [line.removeprefix("      ") for line in lines[start:end]]
    deck = Deck(seed)
    for number in (0, 1, 1_500, 2_999):
        assert shape(orjson.loads(wire(deck.card(number)))) == wanted


def test_the_committed_shape_is_that_of_the_real_reply_where_that_is_at_hand() -> None:
    committed = _SHAPE.read_text("utf-8").splitlines()
    assert len(committed) > 250
    if _REAL.exists():
        real = orjson.loads(_REAL.read_bytes())
        assert shape(real) == committed
        card = real["responseInfo"]["value"]["details"][0]["card"]
        ours = orjson.loads(wire(Deck(26).card(0)))["card"]
        for repeated, name in (("uIDataList", "attribute"), ("teamRatingDataList", "label")):
            assert [i[name] for i in ours[repeated]] == [i[name] for i in card[repeated]]
        tiers = len(card["synergyList"][0]["tierList"])
        assert len(ours["synergyList"][0]["tierList"]) == tiers


def test_a_card_has_the_counts_of_the_real_one_and_its_two_blocks_are_equal(seed: int) -> None:
    card = orjson.loads(wire(Deck(seed).card(7)))["card"]
    assert len(card) == 63
    assert len(card["cardData"]["value"]) == 146
    assert len(card["uIDataList"]) == 53
    assert card["cardData"] == card["staticCardData"]


def test_an_auction_is_compact_and_as_big_as_a_real_one(seed: int) -> None:
    deck = Deck(seed)
    sizes = []
    for number in range(0, 3_000, 30):
        raw = wire(deck.card(number))
        assert orjson.dumps(orjson.loads(raw)) == raw
        sizes.append(len(raw))
    assert 12_000 < sum(sizes) / len(sizes) < 12_500


def test_what_belongs_to_a_copy_is_spliced_in_and_nothing_else_moves(seed: int) -> None:
    card = Deck(seed).card(3)
    one = orjson.loads(wire(card))["card"]
    two = orjson.loads(wire(card, instance_id=5, acquired=1_767_225_600_000_000))["card"]
    differing = {name for name in one if one[name] != two[name]}
    assert differing == {"cardInstanceId", "acquisitionTimestamp", "acquisitionDateString"}
    assert two["acquisitionDateString"] == "01/01/2026"


def test_a_deck_is_distinct_and_the_same_for_the_same_seed(seed: int) -> None:
    deck = Deck(seed)
    cards = [deck.card(number) for number in range(3_000)]
    assert len({card.card_id for card in cards}) == 3_000
    assert len({card.parts[3] for card in cards}) == 3_000
    assert Deck(seed).card(1_234).parts == cards[1_234].parts
    assert Deck(seed + 1).card(1_234).parts != cards[1_234].parts
    player = orjson.loads(wire(cards[1_234]))["card"]["cardData"]["value"]["playerId"]
    assert cards[1_234].card_id % 100_000 == player


def test_popular_cards_are_drawn_far_more_often(seed: int) -> None:
    deck, rng = Deck(seed), lots("draws", seed)
    drawn = [deck.draw(rng) for _ in range(5_000)]
    assert sum(number < 300 for number in drawn) > 2_500
    assert len(set(drawn)) > 500
