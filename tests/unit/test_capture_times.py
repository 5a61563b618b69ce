"""Times that cannot be: what a wrong clock wrote must not lock the good credentials out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.captures import BEGAN, capture, login_entry, process_entry, token_entry
from tests.support.gateway import bundle, credentials, stored, ticket, tokens

from m26.auth.credentials import Credentials, Use
from m26.auth.intake import Imported, import_capture
from m26.auth.pool import Pool
from m26.auth.tally import Tally
from m26.auth.vault import Vault

Command = Callable[..., Any]
NOW = BEGAN + 60
YEARS = 70 * 365 * 86_400.0


def dated(entry: dict[str, Any], when: str) -> dict[str, Any]:
    return entry | {"startedDateTime": when}


def start(n: int, when: str) -> list[dict[str, Any]]:
    """A login of pair `n` and a signed request, at one time."""
    entries = token_entry(n), login_entry(), process_entry(n)
    return [dated(entry, when) for entry in entries]


def took(home: Path, *entries: dict[str, Any], now: float = NOW, **options: Any) -> Imported:
    file = capture(home / "x.har", *entries)
    return import_capture(Vault.open(home), file, now=now, **options)


def held(home: Path) -> Credentials:
    return Vault.open(home).read("main")


@pytest.mark.parametrize(
    "when",
    ["2099-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "2026-10-19T12:00:00"],
    ids=["2099", "the last year", "a local time without its zone"],
)
def test_a_capture_of_a_later_day_does_not_lock_the_next_one_out(tmp_path: Path, when: str) -> None:
    ahead = took(tmp_path, *start(1, when))
    assert "later than now: taken as captured now" in "".join(ahead.problems)
    after = held(tmp_path)
    assert after.tokens is not None
    assert after.ticket is not None
    assert (after.tokens.obtained_at, after.tokens.expires_at) == (NOW, NOW + 14_400)
    assert (after.ticket.obtained_at, after.bundles[0].captured_at) == (NOW, NOW)
    entries = token_entry(2), login_entry(key="CANARY-NEW")
    later = [dated(entry, "2026-10-19T09:01:30Z") for entry in entries]
    good = took(tmp_path, *later, now=NOW + 60)
    assert good.problems == ()
    after = held(tmp_path)
    assert after.tokens is not None
    assert after.tokens.access == tokens(2).access
    assert after.ticket is not None
    assert after.ticket.session_key.reveal() == "CANARY-NEW"


def test_what_a_clock_that_ran_ahead_wrote_goes_behind_a_capture(tmp_path: Path) -> None:
    ahead = tokens(8, at=NOW + YEARS)
    stored(tmp_path, credentials(platform="ps5", tokens=ahead, ticket=ticket(8, at=NOW + YEARS)))
    took(tmp_path, token_entry(2), login_entry(key="CANARY-NEW"))
    after = held(tmp_path)
    assert after.tokens == tokens(2, at=BEGAN + 0.25)
    assert after.ticket is not None
    assert after.ticket.session_key.reveal() == "CANARY-NEW"


def test_what_the_operator_names_is_taken_though_it_is_older(m26: Command, home: Path) -> None:
    pair = tokens(8, at=time.time() - 60)
    stored(home, credentials(platform="ps5", tokens=pair))
    entries = token_entry(2), login_entry(key="CANARY-OLD")
    old = [dated(entry, "2020-01-01T00:00:00Z") for entry in entries]
    file = capture(home / "old.har", *old)
    assert m26("auth", "import", str(file)).code == 0
    assert held(home).tokens == pair
    assert m26("auth", "import", str(file), "--replace").code == 0
    after = held(home)
    assert after.tokens is not None
    assert after.tokens.access == tokens(2).access
    assert after.ticket is not None
    assert after.ticket.session_key.reveal() == "CANARY-OLD"


def test_a_signature_of_a_later_day_teaches_nothing_of_how_long_they_live() -> None:
    used = {"Mobile_SearchAuctions": Use().accept(NOW)}
    later = bundle(1, captured_at=NOW + YEARS, failures=1, uses=used)
    tally = Tally()
    pool = Pool(credentials(bundles=(later,)), tally)
    pool.refused(later.id, "Mobile_SearchAuctions", reason="signature_rejected", now=NOW + 10)
    assert tally.life is None
