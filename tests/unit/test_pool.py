from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.gateway import NOW, bundle, credentials, ticket

from m26.auth.credentials import Bundle, Use
from m26.auth.pool import Pool
from m26.auth.tally import Tally

FIRST, SECOND, THIRD = ticket(1), ticket(2), ticket(3)
SEARCH = "Mobile_SearchAuctions"


def pool(*bundles: Bundle, tally: Tally | None = None, **held: object) -> Pool:
    return Pool(credentials(bundles=bundles, **held), tally)


def picked(pool: Pool, times: int = 1, *, now: float = NOW, session: object = FIRST) -> list[str]:
    """Ids in the order of use; each is accepted."""
    ids = []
    for _ in range(times):
        chosen = pool.pick(session, now=now)  # type: ignore[arg-type]
        assert chosen is not None
        pool.accepted(chosen.id, SEARCH, session, now=now)  # type: ignore[arg-type]
        ids.append(chosen.id)
    return ids


def refuse(pool: Pool, n: int, *, now: float = NOW) -> None:
    pool.refused(bundle(n).id, SEARCH, reason="signature_rejected", now=now)


def suspect(pool: Pool, n: int, *, session: object = FIRST, now: float = NOW) -> bool:
    return pool.rejected(
        bundle(n).id,
        SEARCH,
        session,  # type: ignore[arg-type]
        reason="session_rejected",
        now=now,
    )


def accepted_before(n: int, *, age: float, **changes: object) -> Bundle:
    """Captured an hour ago, and good until it was of that age."""
    at = NOW - 3_600
    uses = {SEARCH: Use(accepted=9, accepted_at=at + age)}
    return bundle(n, captured_at=at, uses=uses, **changes)


def test_bundles_take_turns() -> None:
    turns = picked(pool(*(bundle(n) for n in range(3))), 6)
    assert turns[:3] == turns[3:]
    assert len(set(turns)) == 3


def test_the_turn_of_an_earlier_process_counts() -> None:
    lately = {SEARCH: Use(accepted=1, accepted_at=NOW - 5)}
    earlier = {SEARCH: Use(refused=1, refused_at=NOW - 50)}
    one, two, new = bundle(1, uses=lately), bundle(2, uses=earlier), bundle(3)
    assert picked(pool(one, two, new), 3) == [new.id, two.id, one.id]


def test_a_bundle_of_another_persona_is_not_used() -> None:
    mine = pool(bundle(1, blaze_id=7), bundle(2, blaze_id=8), bundle(3))
    session = ticket(blaze_id=8)
    assert set(picked(mine, 9, session=session)) == {bundle(2).id, bundle(3).id}
    foreign = pool(bundle(1, blaze_id=7))
    assert foreign.pick(session, now=NOW) is None
    assert not foreign.has_resting(session)  # no time will make it ours


def test_a_refused_signature_rests_its_bundle_longer_each_time_and_then_for_good() -> None:
    only, now, rests = pool(bundle(1)), NOW, []
    while only.has_resting(FIRST):
        assert only.pick(FIRST, now=now)
        refuse(only, 1, now=now)
        rests.append(only.bundles[0].retry_at - now)
        assert only.pick(FIRST, now=only.bundles[0].retry_at - 1) is None
        now = only.bundles[0].retry_at
    assert rests[:-1] == [900, 1_800, 3_600, 7_200, 14_400]
    assert only.pick(FIRST, now=now + 1e9) is None


def test_a_success_makes_a_bundle_healthy_again() -> None:
    mine = pool(bundle(1))
    assert not mine.accepted(bundle(1).id, SEARCH, FIRST, now=NOW)  # its health is as it was
    refuse(mine, 1)
    assert mine.accepted(bundle(1).id, SEARCH, FIRST, now=NOW + 900)
    (healthy,) = mine.bundles
    assert (healthy.failures, healthy.retry_at) == (0, 0)
    assert healthy.uses[SEARCH].count == 3


def test_health_is_kept_by_command() -> None:
    mine = pool(bundle(1))
    mine.accepted(bundle(1).id, "A", FIRST, now=NOW)
    mine.refused(bundle(1).id, "B", reason="signature_rejected", now=NOW + 9)
    assert mine.bundles[0].uses == {
        "A": Use(accepted=1, accepted_at=NOW),
        "B": Use(refused=1, refused_at=NOW + 9, reason="signature_rejected"),
    }


def test_a_rejected_session_makes_a_suspect_that_a_proven_session_clears() -> None:
    mine = pool(bundle(1), bundle(2))
    assert not suspect(mine, 1)
    assert picked(mine, session=SECOND) == [bundle(2).id]  # the other one tries the new session
    assert picked(mine, session=SECOND) == [bundle(1).id]  # it is good, so the suspect is asked
    assert not suspect(mine, 1, session=SECOND)  # once more only a suspect
    assert mine.bundles[0].retry_at == 0


def test_a_suspect_that_is_rejected_in_a_proven_session_rests() -> None:
    mine = pool(bundle(1), bundle(2))
    suspect(mine, 1)
    assert picked(mine, session=SECOND) == [bundle(2).id]
    assert suspect(mine, 1, session=SECOND)
    assert mine.bundles[0].retry_at == NOW + 900
    assert picked(mine, 2, session=THIRD) == [bundle(2).id] * 2


def test_sessions_that_die_never_lock_out_the_only_bundle() -> None:
    only = pool(bundle(1))
    for n in range(20):
        assert only.pick(ticket(n), now=NOW)
        assert not suspect(only, 1, session=ticket(n))
    assert picked(only) == [bundle(1).id]


def test_how_long_bundles_live_is_learned_from_those_that_end() -> None:
    tally = Tally()
    mine = pool(accepted_before(1, age=1_000), tally=tally)
    born = NOW - 3_600
    refuse(mine, 1, now=born + 1_200)
    assert mine.life is None  # once may be a whim of the upstream
    refuse(mine, 1, now=born + 2_100)
    assert mine.life == tally.life == 1_100  # between the last acceptance and the first refusal


@pytest.mark.parametrize(
    ("known", "accepted", "refused", "life"),
    [
        (5_000, 1_000, 1_200, 1_200),  # no longer than one that has ended
        (500, 1_000, 1_200, 1_000),  # no shorter than one that was alive
        (1_150, 1_000, 1_200, 1_150),  # within the bounds there is nothing to learn
    ],
)
def test_an_estimate_moves_into_each_new_bound_and_no_further(
    known: float, accepted: float, refused: float, life: float
) -> None:
    mine = pool(accepted_before(1, age=accepted), bundle_life=known)
    for age in (refused, refused + 900):
        refuse(mine, 1, now=NOW - 3_600 + age)
    assert mine.life == life


def test_estimates_close_in_on_the_true_life(seed: int) -> None:
    true, mine, errors = 86_400.0, pool(), []
    for n in range(1, 12):
        gap = 40_000 / n  # how seldom it was used
        last = true - (seed * n % 1_000) / 1_000 * gap
        made = bundle(n, captured_at=NOW, uses={SEARCH: Use(accepted=1, accepted_at=NOW + last)})
        mine.load(credentials(bundles=(made,), bundle_life=mine.life))
        for at in (last + gap, last + gap + 900):
            refuse(mine, n, now=NOW + at)
        assert mine.life is not None
        errors.append(abs(mine.life - true))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] <= 40_000 / 11


def test_a_bundle_that_never_worked_teaches_nothing() -> None:
    mine = pool(bundle(1, captured_at=NOW - 3_600))
    for at in (NOW, NOW + 900):
        refuse(mine, 1, now=at)
    assert mine.life is None


def test_one_that_is_older_than_the_estimate_and_accepted_corrects_it() -> None:
    mine = pool(bundle(1, captured_at=NOW - 3_600), bundle_life=600.0)
    picked(mine)
    assert mine.life == 3_600


def test_those_past_their_expected_end_are_asked_last_the_newest_first() -> None:
    old = [bundle(n, captured_at=NOW - 1_000 - n) for n in (3, 1, 2)]
    young = bundle(9, captured_at=NOW - 10, uses={SEARCH: Use(accepted=1, accepted_at=NOW)})
    mine = pool(*old, young, bundle_life=500.0)
    assert picked(mine, 2) == [young.id, young.id]
    mine.load(credentials(bundles=tuple(old), bundle_life=500.0))
    assert mine.pick(FIRST, now=NOW) == bundle(1, captured_at=NOW - 1_001)


def test_a_pool_that_has_ended_costs_two_requests_not_one_each() -> None:
    bundles = [
        replace(accepted_before(n, age=3_000), captured_at=NOW - 3_600 - n) for n in range(50)
    ]
    mine, asked, now = pool(*bundles), [], NOW
    while mine.has_resting(FIRST):
        now = max(now, min(b.retry_at for b in mine.bundles))
        while (chosen := mine.pick(FIRST, now=now)) is not None:
            mine.refused(chosen.id, SEARCH, reason="signature_rejected", now=now)
            asked.append(now - NOW)
    assert asked == [0, 0, 900, 2_700, 6_300, 13_500, 27_900]


def test_what_another_process_dropped_is_gone_and_what_it_added_is_there() -> None:
    tally = Tally()
    mine = pool(bundle(1), bundle(2), tally=tally)
    picked(mine, 2)
    refuse(mine, 2, now=NOW)
    mine.load(credentials(bundles=(bundle(2), bundle(3))))
    assert [b.id for b in mine.bundles] == [bundle(2).id, bundle(3).id]
    assert picked(mine, 2) == [bundle(3).id] * 2  # the refused one still rests, unwritten as it is
    refuse(mine, 1)
    assert not mine.accepted(bundle(1).id, SEARCH, FIRST, now=NOW)  # late news of a dropped one
    held = tally.onto(credentials(bundles=(bundle(2), bundle(3))))
    assert [b.failures for b in held.bundles] == [1, 0]
    assert held.bundles[1].uses[SEARCH].accepted == 2
