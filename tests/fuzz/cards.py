"""A card in, its definition and its columns out: the plain reading of docs/DATA.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fuzz.spelled import Spelled, canonical, mended, unkeepable

from m26.upstream.profile import Profile

RULES = Profile.load("madden26").card
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""By Unicode; `str.strip` takes four control characters too."""


def definition(card: Spelled) -> tuple[Spelled, bool]:
    """What all copies of a card share, as it is stored; whether that is as it was served."""
    kept = Spelled([(name, v) for name, v in card.members if name not in RULES.per_copy])
    stored = mended(kept)
    texts = {name: canonical(value) for name, value in stored.members}
    if "cardData" in texts and texts["cardData"] == texts.get("staticCardData"):
        stored = Spelled([pair for pair in stored.members if pair[0] != "staticCardData"])
    return stored, not unkeepable(kept)


def columns(card: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a card but version, attributes and first_seen, from its definition."""
    data, program = _inside(card, "cardData"), _inside(card, "program")
    player = _inside(data, "value")
    names = [_text(card, "firstName"), _text(card, "secondName")]
    name = " ".join(name for name in names if name).strip(_WHITE_SPACE)
    position, kind = _small(player, "position"), _text(card, "type")
    value = card.get("discardValue")
    return {
        "card_id": card["cardId"],
        "name": name or _text(card, "condensedName"),
        "position": None if position is None else RULES.positions.get(position, str(position)),
        "overall": _small(player, "overallRating"),
        "tier": _small(card, "tier"),
        "program_id": _small(program, "programId"),
        "program": _text(program, "programName"),
        "team_id": _small(card, "teamId"),
        "type": kind and kind.removeprefix("CARDTYPE_").lower(),
        "discard_value": value if type(value) is int and -(2**63) <= value < 2**63 else None,
        "discard_currency": _small(card, "discardBankCurrencyId"),
    }


def _inside(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = card.get(name)
    return value if isinstance(value, dict) else {}


def _text(card: Mapping[str, Any], name: str) -> str | None:
    value = card.get(name)
    return value if isinstance(value, str) and value else None


def _small(card: Mapping[str, Any], name: str) -> int | None:
    value = card.get(name)
    return value if type(value) is int and -(2**31) <= value < 2**31 else None
