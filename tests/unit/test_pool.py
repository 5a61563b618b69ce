from __future__ import annotations

from tests.gateway import NOW, bundle, credentials

from m26.auth.pool import Pool, is_usable, merged


def test_bundles_take_turns() -> None:
    pool = Pool([bundle(n) for n in range(3)])
    picked = [pool.pick(now=NOW, blaze_id=None) for _ in range(6)]
    first, second = picked[:3], picked[3:]
    assert first == second
    assert len({b.id for b in first if b}) == 3


def test_a_bundle_of_another_persona_is_not_used() -> None:
    pool = Pool([bundle(1, blaze_id=7), bundle(2, blaze_id=8), bundle(3)])
    ids = {b.id for _ in range(9) if (b := pool.pick(now=NOW, blaze_id=8))}
    assert ids == {bundle(2).id, bundle(3).id}


def test_one_failure_may_be_the_sessions_fault_two_in_a_row_are_not() -> None:
    pool = Pool([bundle(1)])
    assert pool.failed(bundle(1), now=NOW)
    assert pool.pick(now=NOW, blaze_id=None)
    pool.failed(bundle(1), now=NOW)
    assert pool.pick(now=NOW + 899, blaze_id=None) is None
    assert pool.has_resting
    assert pool.pick(now=NOW + 900, blaze_id=None)


def test_a_refused_signature_rests_its_bundle_at_once() -> None:
    pool = Pool([bundle(1)])
    pool.failed(bundle(1), now=NOW, surely=True)
    assert pool.pick(now=NOW, blaze_id=None) is None


def test_rests_grow_and_end_for_good() -> None:
    pool, now, rests = Pool([bundle(1)]), NOW, []
    while pool.has_resting:
        pool.failed(bundle(1), now=now, surely=True)
        rests.append(pool.bundles[0].retry_at - now)
        now = pool.bundles[0].retry_at
    assert rests == [900, 1_800, 3_600, 7_200, 14_400]
    assert pool.pick(now=now + 1e9, blaze_id=None) is None


def test_a_success_makes_a_bundle_healthy_again() -> None:
    pool = Pool([bundle(1)])
    assert not pool.succeeded(bundle(1))  # nothing changed, nothing to save
    pool.failed(bundle(1), now=NOW)
    assert pool.succeeded(bundle(1))
    assert pool.bundles == (bundle(1),)


def test_health_goes_back_to_the_vault_and_new_bundles_stay() -> None:
    pool = Pool([bundle(1)])
    pool.failed(bundle(1), now=NOW, surely=True)
    held = credentials(bundles=(bundle(1), bundle(2)))
    one, two = merged(held, pool)
    assert not is_usable(one, now=NOW)
    assert two == bundle(2)
