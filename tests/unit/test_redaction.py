from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from m26 import redaction
from m26.redaction import MASK, redact, register_secret
from m26.upstream.secret import Secret


@pytest.fixture(autouse=True)
def _know_nothing() -> Iterator[None]:
    redaction._known.clear()
    yield
    redaction._known.clear()


def names(n: int, start: int = 0) -> list[str]:
    """Secrets as they come in life: beginning alike, with characters that a URL encodes."""
    return [f"eyJCANARY-{i:06}/+=$*" for i in range(start, start + n)]


def test_months_of_rotating_secrets_do_not_pile_up() -> None:
    for name in names(10_000):
        Secret(name)
    assert len(redaction._known._rotating) == 4_096
    alike = redaction._known._front._alike
    assert [len(them) for them in alike.values()] == [4_096]
    assert redact(f"x {names(1, 9_999)[0]} y") == f"x {MASK} y"
    assert redact("eyJCANARY-005904%2F%2B%3D%24%2A") == MASK
    assert redact(names(1)[0]) == names(1)[0]


def test_one_that_is_still_in_use_stays_known() -> None:
    for name in names(8_192):
        Secret("CANARY-CLIENT-SECRET")  # read with the vault, again and again
        Secret(name)
    assert redact("CANARY-CLIENT-SECRET") == MASK


def test_the_vaults_key_is_never_forgotten() -> None:
    register_secret("CANARY-VAULT-KEY")
    Secret("CANARY-VAULT-KEY")  # also where it comes by as one that rotates
    for name in names(10_000):
        Secret(name)
    assert redact("key CANARY-VAULT-KEY") == f"key {MASK}"


def test_a_thousand_secrets_are_all_masked_in_one_text() -> None:
    for name in names(1_000):
        Secret(name)
    text = " ".join(names(1_000))
    assert redact(text) == " ".join([MASK] * 1_000)
    assert redact("".join(names(1_000))) == MASK * 1_000


def test_the_longest_of_those_that_begin_alike_is_masked() -> None:
    for secret in ("CANARY-A", "CANARY-A-LONGER", "CANARY-A-LONGER-STILL"):
        Secret(secret)
    text = "CANARY-A-LONGER-STILL CANARY-A-LONGER CANARY-A CANARY-"
    assert redact(text) == f"{MASK} {MASK} {MASK} CANARY-"


def test_threads_may_read_while_others_register() -> None:
    register_secret("CANARY-CONSTANT")
    with ThreadPoolExecutor(1) as others:
        text = f"CANARY-CONSTANT {names(1)[0] * 3}"
        reading = others.submit(lambda: {redact(text) for _ in range(300)})
        for length in range(6, 3_000):
            Secret("eyJCAN" + "x" * length)
        assert reading.result() == {text.replace("CANARY-CONSTANT", MASK)}
