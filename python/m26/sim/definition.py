"""Lots in, a card's definition in wire order out, with holes where a copy's members go."""

from __future__ import annotations

import itertools
from typing import Any

import orjson

from m26.sim import shape
from m26.sim.lots import Lots

CUT = b"\x00"
"""JSON text cannot hold a raw NUL, so it marks where the members of a physical copy go."""
_HOLE = orjson.Fragment(CUT)
_CDN = "$_EADP_GS_CDN_$/images/220"
_BLOCK = {"tdfid": 774456682, "tdfclass": "Blaze::Mut::PlayerCardData"}
_FLAGS = 2  # of 5 traits are set


def player_values(
    rng: Lots, player: int, program: int, overall: int, first: str, last: str
) -> dict[str, Any]:
    """The 146 members of ``cardData.value``, in no order; members not named are drawn."""
    position = player % len(shape.POSITIONS)
    near = sorted({max(0, position - 1), position, min(20, position + 1)})
    archetype = rng.randrange(len(shape.ARCHETYPES))
    title = f"{shape.ARCHETYPES[archetype]} - {shape.POSITIONS[position]}"
    values: dict[str, Any] = {
        name: rng.randrange(5) < _FLAGS if name.startswith("trait") else rng.randint(10, overall)
        for name in shape.PLAYER_FIELDS
    }
    values |= dict.fromkeys(("qBStyle", "stance", "style", "prototypeId", "icon", "confidence"), 0)
    values |= dict.fromkeys(("isCaptain", "isImpactPlayer", "playerGender", "flagProBowl"), 0)
    values |= dict.fromkeys(("handedness", "schoolYear", "previousTeamId"), 0)
    values |= {name: rng.choice(texts) for name, texts in shape.TRAIT_TEXTS.items()}
    return values | {
        "archetypeDescription": title,
        "archetypeIconImage": f"fbimage:{3000 + archetype}:81",
        "mutArchetypeId": 40 + archetype,
        "archetypeTitle": title,
        "overrideAbilities": False,
        "positionOvrRatings": {str(p): overall for p in near} | {"33": min(99, overall + 1)},
        "age": rng.randint(21, 38),
        "playerCommentary": rng.randint(1000, 9999),
        "college": rng.randint(1, 250),
        "dataVersion": program,
        "assetName": f"{last}{first}_{player}",
        "firstname": first,
        "playerId": player,
        "height": rng.randint(68, 80),
        "homeState": rng.randint(0, 49),
        "homeTown": rng.choice(shape.TOWNS),
        "jerseyNumber": rng.randint(0, 99),
        "birthDate": rng.randint(58_000, 66_000),
        "draftTeam": rng.randint(0, 31),
        "lastHoldOutYear": -31,
        "lastname": last,
        "performanceLevel": 100,
        "potential": 99,
        "playerType": 40 + archetype,
        "overallRating": overall,
        "position": position,
        "runningStyle": rng.randint(0, 20),
        "portraitId": rng.randint(1000, 9999),
        "reserved1": 1,
        "playerTraits": {},
        "weight": rng.randint(20, 150),
        "yearsPro": rng.randint(0, 16),
        "showPortraitOnCard": False,
        "teamId": player % len(shape.TEAMS),
    }


def _labels(values: dict[str, Any], program: str, folder: str, discard: int) -> list[Any]:
    first, last, overall = values["firstname"], values["lastname"], str(values["overallRating"])
    word = program.replace(" ", "")
    texts = {
        "FRONT_BOOST_COLOR": "0",
        "BACK_BACKGROUND_IMAGE": f"fbimage:17:86|{folder}/Back/{word}_PlayerBack.png",
        "FRONT_FOREGROUND_IMAGE": f"fbimage:17:86|{folder}/Frame/{word}_Frame.png",
        "BACK_TITLE": first,
        "BACK_SUBTITLE": last,
        "BACK_CENTER_VALUE": str(values["college"]),
        "SPINE_FOOTER_VALUE": overall,
        "EFFECT_VALUE": overall,
        "COIN_VALUE": "1",
        "EFFECT_LABEL": "OVR",
        "ARCHETYPE_ICON_IMAGE": values["archetypeIconImage"],
        "MAIN_TITLE": first,
        "FRONT_FOOTER_LABEL1": last,
        "CARD_TYPE_LABEL": "Player",
        "SPINE_NAME": f"{first[0]}. {last}",
        "PLAYERS_INC": "true",
        "SPINE_FOOTER_LABEL": "OVR",
        "BACK_CENTER_LABEL": "COLLEGE",
        "CARD_STATE": "2",
        "DISCARD_VALUE": str(discard),
        "NFL_TEAM_SHORTNAME": shape.TEAMS[values["teamId"]],
    }
    for place, (member, label, number) in enumerate(shape.SHOWN, 1):
        texts[f"ATTR{place}"] = str(values[member])
        texts[f"ATTR{place}_DESC"] = label
        texts[f"ATTR{place}_ENUM"] = str(number)
    return [{"attribute": f"UIATTRIBUTE_{a}", "string": texts.get(a, "")} for a in shape.LABELS]


def definition(
    rng: Lots, card_id: int, values: dict[str, Any], block: orjson.Fragment, value: int
) -> dict[str, Any]:
    """All members of ``card`` in wire order, with holes for those of a copy."""
    first, last, team = values["firstname"], values["lastname"], values["teamId"]
    overall, number = values["overallRating"], card_id // 100_000
    program = shape.PROGRAMS[number - 101]
    art = f"{rng.getrandbits(128):032x}"
    folder = f"{_CDN}/{art[:8]}-{art[8:12]}-{art[12:16]}-{art[16:20]}-{art[20:]}"
    synergy, word, discard = 6000 + team, program.replace(" ", ""), max(10, value // 10)
    tiers = itertools.chain(range(synergy, synergy + 6), range(synergy + 1006, synergy + 1013))
    rated = {"teamId": team, "collegeId": values["college"]}
    rated |= {"overall": overall, "position": values["position"]}
    data = {**_BLOCK, "value": block}
    return {
        "activeCapBlazeId": 0,
        "acquisitionDescription": "",
        "cardAssetType": "CARDASSETTYPE_DEFAULT",
        "activePlayerAbility": 0,
        "acquisitionMethod": "ACQUISITION_PACK_OPENING",
        "acquisitionTimestamp": _HOLE,
        "activeSynergyBoostList": [],
        "acquisitionDateString": _HOLE,
        "medianListingPrice": 0,
        "discardBankCurrencyId": 4,
        "basePostTradeFee": 0,
        "basePostAuctionFee": 0,
        "cardBindMessage": "",
        "isBound": False,
        "cardBindRuleId": 0,
        "cardOwnerBlazeId": 0,
        "cardArtId": 0,
        "cardInstanceId": _HOLE,
        "cornerImage": "",
        "condensedName": f"{first[0]}. {last}",
        "cardState": "CARDSTATE_INAUCTION",
        "synergyList": [
            {
                "onCardCount": rng.randint(1, 3),
                "synergyId": synergy,
                "tierList": [{"id": tier} for tier in tiers],
                "displayOrder": -1,
                "inLineupCount": 0,
                "isSynergyEnabled": True,
                "iconImageHighResolution": f"fbimage:{synergy}:81",
                "iconImageLowResolution": f"fbimage:{synergy}:81",
                "upgradeSlotId": 0,
            }
        ],
        "cardValue": rng.randint(10, 99),
        "cardData": data,
        "depthChartRank": "DEPTHCHART_NONE",
        "description": f"MUT 26 {program} Hero.",
        "discardValue": discard,
        "equipCard": 0,
        "isExpired": False,
        "frontDescription": "",
        "isAuctionable": True,
        "isSynergyCardbackVisible": True,
        "isCollectable": True,
        "cardId": card_id,
        "isLimitedEdition": False,
        "isQuestCard": False,
        "isPowerupConsumable": True,
        "isUpgradable": True,
        "isTradeable": True,
        "isLocked": False,
        "isWildcardEligible": True,
        "isLightMode": False,
        "longDescription": "",
        "limitedEditionAvailable": 0,
        "limitedEditionCount": 0,
        "maxListingPrice": 0,
        "mainImage": f"fbimage:1:32|{folder}/Players/{first}{last}.png",
        "minListingPrice": 0,
        "firstName": first,
        "secondName": last,
        "passivePlayerAbilities": [],
        "program": {
            "color": 0,
            "programDescription": program,
            "programId": number,
            "programName": program,
            "revealVideo": f"MUT_{word}",
            "stampImage": f"{folder}/Logo/{word}_Logo_128.png",
        },
        "teamRatingDataList": [
            {"label": label, "value": rating} for label, rating in rated.items()
        ],
        "revealVideo": f"MUT_{word}",
        "slotAbilityIdList": [synergy],
        "sequenceNumber": 0,
        "stars": 1,
        "staticCardData": data,
        "tier": max(1, (overall - 58) // 6),
        "teamId": team,
        "type": "CARDTYPE_PLAYER",
        "uIDataList": _labels(values, program, folder, discard),
        "upgradeTierId": 0,
    }
