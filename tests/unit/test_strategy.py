from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.gateway import NOW, PAYLOAD, Desk, bundle, credentials, desk, info, ticket

from m26.auth.credentials import Bundle, Use
from m26.upstream.profile import Profile
from m26.upstream.rules import RULES
from m26.upstream.verdicts import Escalation, RefusedError, UnavailableError

pytestmark = pytest.mark.anyio
UNSIGNED = Profile.load("madden26")
REFUSED = "signature_rejected"
TWO = (bundle(1), bundle(2))
SEARCH = "Mobile_SearchAuctions"


def of_bundles(home: Path, *bundles: object, **held: object) -> Desk:
    """A desk without signing constants."""
    return desk(home, credentials(bundles=bundles, **held), profile=UNSIGNED)


async def test_without_constants_captured_bundles_are_used_in_turn(tmp_path: Path) -> None:
    at = of_bundles(tmp_path, *TWO)
    used = [await at.ask() for _ in range(4)]
    assert used == ["CANARY-DATA-1", "CANARY-DATA-2"] * 2
    sent = info(at.upstream.asked[0][1])
    assert sent["messageAuthData"] == {
        "authCode": "CANARY-CODE-1",
        "authData": "CANARY-DATA-1",
        "authType": 17039361,
    }
    assert sent["deviceId"] == "CANARY-DEVICE-BUNDLE"
    assert at.session.strategy == "bundles"
    assert at.told == []  # nothing better was there to begin with


async def test_a_bundle_that_was_refused_rests_also_after_a_restart(tmp_path: Path) -> None:
    at = of_bundles(tmp_path, *TWO)
    await at.ask(REFUSED)
    again = desk(tmp_path, at.held(), profile=UNSIGNED)
    assert {await again.ask() for _ in range(3)} == {"CANARY-DATA-2"}


async def test_failures_that_are_not_the_bundles_do_not_count(tmp_path: Path) -> None:
    at = of_bundles(tmp_path, bundle(1))
    for _ in range(5):
        await at.ask("rate_limited")
    await at.session.aclose()
    assert at.held().bundles == (bundle(1),)


async def test_uses_of_bundles_are_kept_by_command(tmp_path: Path) -> None:
    at = of_bundles(tmp_path, bundle(1))
    await at.ask()
    await at.ask()
    await at.session.request("bids", "{}")
    await at.session.judged(RULES[REFUSED])
    assert at.held().bundles[0].uses == {
        SEARCH: Use(accepted=2, accepted_at=NOW),
        "Mobile_GetAuctionBids": Use(refused=1, refused_at=NOW, reason=REFUSED),
    }


async def test_without_constants_and_bundles_it_says_what_to_do(tmp_path: Path) -> None:
    at = of_bundles(tmp_path)
    with pytest.raises(RefusedError) as stopped:
        await at.session.request("search", PAYLOAD)
    assert stopped.value.verdict.reason == "no_signature"
    assert stopped.value.exit_code == 3
    assert "[signing]" in stopped.value.hint
    assert at.spent == []


async def test_bundles_that_all_rest_are_a_pause_and_no_stop(tmp_path: Path) -> None:
    at = of_bundles(tmp_path, bundle(1, failures=2, retry_at=NOW + 60))
    with pytest.raises(UnavailableError) as later:
        await at.session.request("search", PAYLOAD)
    assert later.value.verdict.reason == "bundles_resting"
    at.now[0] += 61
    assert (await at.session.request("search", PAYLOAD)).status == 200


async def test_bundles_of_another_persona_are_none(tmp_path: Path) -> None:
    at = of_bundles(tmp_path, bundle(1, blaze_id=7))
    with pytest.raises(RefusedError) as stopped:
        await at.session.request("search", PAYLOAD)
    assert stopped.value.verdict.reason == "no_signature"


async def test_what_a_rebuild_drops_and_brings_is_seen_at_the_next_request(tmp_path: Path) -> None:
    at = of_bundles(tmp_path, *TWO)
    await at.ask()
    at.vault.change("main", lambda held: replace(held, bundles=(bundle(3),)))
    assert [await at.ask() for _ in range(2)] == ["CANARY-DATA-3"] * 2
    await at.session.aclose()
    (kept,) = at.held().bundles
    assert (kept.id, kept.uses[SEARCH].accepted) == (bundle(3).id, 2)


@pytest.mark.parametrize(
    ("bundles", "life", "left"),
    [
        ((bundle(1, captured_at=NOW - 900), bundle(2, captured_at=NOW - 100)), 1_000.0, 900),
        ((bundle(1, captured_at=NOW - 2_000),), 1_000.0, 0),
        ((bundle(1, retry_at=NOW + 9),), 1_000.0, 0),  # none can be used
        (TWO, None, None),  # nobody knows how long they live
        ((), 1_000.0, None),
    ],
)
async def test_the_life_left_in_the_pool_is_that_of_its_newest_usable_bundle(
    tmp_path: Path, bundles: tuple[Bundle, ...], life: float | None, left: float | None
) -> None:
    at = of_bundles(tmp_path, *bundles, bundle_life=life)
    assert at.session.seconds_left()["bundles"] == left


async def test_what_was_learned_of_their_life_outlives_the_process(tmp_path: Path) -> None:
    at = of_bundles(tmp_path, bundle(1), bundle(2, captured_at=NOW + 1_000, retry_at=NOW + 9_999))
    await at.ask()
    for wait in (200, 900):
        at.now[0] += wait
        await at.ask(REFUSED)
    assert at.held().bundle_life == 100  # accepted at 0, refused at 200 seconds
    at.now[0] = NOW + 9_999
    assert at.session.seconds_left()["bundles"] == 0


async def test_a_device_id_that_is_imported_makes_signing_possible(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(device_id=None, bundles=TWO))
    assert await at.ask() == "CANARY-DATA-1"
    assert at.session.strategy == "bundles"
    at.vault.change("main", lambda held: replace(held, device_id=bundle().device_id))
    assert not (await at.ask()).startswith("CANARY")
    assert at.session.strategy == "signed"


async def test_signing_refused_twice_falls_back_with_a_reason_and_comes_back(
    tmp_path: Path,
) -> None:
    at = desk(tmp_path, credentials(bundles=TWO))
    with capture_logs() as lines:
        for _ in range(2):
            assert not (await at.ask(REFUSED)).startswith("CANARY-DATA")
        assert [await at.ask() for _ in range(3)] == [f"CANARY-DATA-{n}" for n in (1, 2, 1)]
        assert at.session.strategy == "bundles"
        assert at.told == ["the signing constants are refused; captured bundles are used"]
        at.now[0] += 899
        assert (await at.ask()).startswith("CANARY-DATA")
        at.now[0] += 1
        assert not (await at.ask()).startswith("CANARY-DATA")  # tried again, and accepted
    assert at.session.strategy == "signed"
    assert at.told[1:] == [""]
    changes = [line for line in lines if line["event"] == "auth.strategy_changed"]
    assert [line["strategy"] for line in changes] == ["bundles", "signed"]
    assert "refused" in changes[0]["reason"]
    assert "CANARY" not in str(lines)


async def test_signing_is_tried_again_ever_more_rarely_once_a_day_at_last(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(bundles=TWO))
    signed = []
    for _ in range(10 * 24 * 4):
        await at.session.request("search", PAYLOAD)
        by = at.session.strategy
        await at.session.judged(RULES[REFUSED if by == "signed" else "ok"])
        if by == "signed":
            signed.append(at.now[0] - NOW)
        at.now[0] += 900
    rests = [later - sooner for sooner, later in pairwise(signed)]
    assert rests[:5] == [900, 900, 1_800, 3_600, 7_200]
    assert rests[-2:] == [86_400, 86_400]
    assert len(at.told) == 1


async def test_one_refusal_is_no_reason_to_change(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(bundles=TWO))
    for reason in (REFUSED, "ok", REFUSED, "ok"):
        assert not (await at.ask(reason)).startswith("CANARY-DATA")
    assert at.told == []


async def follow(at: Desk, hours: float) -> tuple[list[float], str]:
    """What becomes of requests that are refused for their signature: when sent, and the end."""
    escalation, sent = Escalation(), []
    until = at.now[0] + 3_600 * hours
    while at.now[0] < until:
        try:
            await at.session.request("search", PAYLOAD)
            verdict = RULES[REFUSED]
            sent.append(at.now[0] - NOW)
            await at.session.judged(verdict)
        except UnavailableError as error:
            verdict = error.verdict
        except RefusedError as error:
            return sent, f"{error.verdict.reason} {error.exit_code}"
        at.now[0] += escalation.step(verdict, now=at.now[0]).seconds
    return sent, "goes on"


async def test_both_strategies_refused_is_a_stop_without_hammering(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(bundles=tuple(bundle(n) for n in range(5))))
    sent, end = await follow(at, 24)
    assert end == "no_signature 4"
    gaps = [later - sooner for sooner, later in pairwise(sent)]
    assert gaps[:2] == [1, 2]  # the retries that the failure table allows
    assert min(gaps[2:]) >= 60
    assert len(sent) <= 6 * 5 + 10  # each bundle six times, spread over hours


async def test_refused_constants_without_bundles_are_a_stop_after_six_requests(
    tmp_path: Path,
) -> None:
    sent, end = await follow(desk(tmp_path), 24)
    assert end == "no_signature 4"
    assert sent == [0, 1, 3, 63, 123, 183]


async def test_refused_bundles_without_constants_are_a_stop_after_hours(tmp_path: Path) -> None:
    sent, end = await follow(of_bundles(tmp_path, *TWO), 24)
    assert end == "no_signature 3"
    assert 10 <= len(sent) <= 12
    assert sent[-1] > 7 * 3_600


async def test_a_captured_session_without_its_persona_asks_for_a_login(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(ticket=ticket(blaze_id=None)))
    with pytest.raises(UnavailableError) as later:
        await at.session.request("search", PAYLOAD)
    assert later.value.verdict.reason == "session_rejected"
    at.now[0] += 1
    await at.session.renew_session(dead=at.session.ticket_id)
    assert (await at.session.request("search", PAYLOAD)).status == 200
