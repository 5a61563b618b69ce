"""Replies in the gateway's form, small: a card has only the members that rows are made of."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from m26.models import Page, Record

T0 = 1_790_000_000
"""Server time of the tests' first reply, seconds."""


def card(card_id: int = 13522975, *, instance: int = 1, **fields: Any) -> dict[str, Any]:
    data = {
        "tdfid": 774456682,
        "tdfclass": "Blaze::Mut::PlayerCardData",
        "value": {"overallRating": 82, "position": 14, "speed": 79},
    }
    return {
        "acquisitionTimestamp": (T0 - 9_000) * 1_000_000,
        "cardInstanceId": instance,
        "cardData": data,
        "staticCardData": data,
        "cardId": card_id,
        "firstName": "Drew",
        "secondName": "Sanders",
        "program": {"programId": 135, "programName": "Team Builders"},
        "tier": 4,
        "teamId": 4,
        "type": "CARDTYPE_PLAYER",
        "discardValue": 270,
        "discardBankCurrencyId": 4,
        **fields,
    }


def auction(auction_id: int, *, bid: int = 100, bids: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "auctionId": auction_id,
        "buyoutPrice": 5000,
        "buyerId": 1,
        "card": card(instance=auction_id),
        "currentBid": bid,
        "secondsRemaining": 3600,
        "medianAuctionPrice": 2000,
        "maxListingPrice": 20000,
        "minListingPrice": 100,
        "nextBid": bid + 50 if bids else bid,
        "numberOfBids": bids,
        "postingTime": T0 - 8_000,
        "sellerId": 1,
        "auctionStatus": "AUCTIONSTATUS_ACTIVE",
        **fields,
    }


def body(*auctions: Any, at: float = T0, **data: Any) -> bytes:
    """One search reply served at `at`."""
    value = {
        "details": list(auctions),
        "responseData": {
            "cacheTime": (T0 - 60) * 1_000_000,
            "captchaGuid": "",
            "uiErrorCode": 0,
            "message": "",
            "responseTime": int(at * 1_000_000),
            **data,
        },
        "truncated": False,
    }
    reply = {
        "responseInfo": {
            "tdfid": 2615288587,
            "tdfclass": "Blaze::Mut::Mobile_SearchAuctionsResponse",
            "value": value,
        }
    }
    return json.dumps(reply, separators=(",", ":")).encode()


def page(content: bytes, *, platform: str = "ps5", fetched_at: int = 0, **fields: Any) -> Page:
    made = Page(
        account="main",
        platform=platform,
        command="Mobile_SearchAuctions",
        query="{}",
        status=200,
        content_type="application/json",
        fetched_at=fetched_at,
        body=content,
    )
    return replace(made, **fields)


def records(*bodies: bytes, start: int = 0, **fields: Any) -> list[Record]:
    return [Record(start + i, page(content, **fields)) for i, content in enumerate(bodies)]
