"""How much of the market was seen in each hour, and what later proof said, beside the outcomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from tests.native.test_delta import read
from tests.service.test_inference import place
from tests.support.trading import Upstream, lots, records
from tests.support.wire import T0

from m26.store import coverage
from m26.store.batch import Concluded, Prepared

pytestmark = pytest.mark.anyio
HOUR = 3600
FIRST = T0 // HOUR * HOUR


@pytest.mark.parametrize("far", [False, True])
async def test_the_hours_of_a_script_are_counted(database: str, far: bool) -> None:
    market = lots(8, hours=5)
    given = records(Upstream(market), stop=4 * HOUR)
    async with place(database) as at:
        loader = at.loader()
        loader._far = far
        await at.load(loader, given, 16)
        rows = await at.connection.fetch("SELECT * FROM m26.coverage_hour ORDER BY hour")
        assert {(row["part"], row["platform"]) for row in rows} == {("j", "ps5")}
        assert [row["hour"].timestamp() for row in rows[-4:]] == [
            FIRST + HOUR * n for n in range(1, 5)
        ]
        for row in rows[-4:-1]:
            requests = orjson.loads(row["requests"])
            assert sum(requests.values()) == HOUR // 20
            assert set(requests) == {"front", "further", "refresh"}
            begin = int(row["hour"].timestamp()) - T0
            posted = [each for each in market if begin <= each.posted < begin + HOUR]
            assert 0.9 * len(posted) <= row["seen"] <= len(posted)
            assert row["listed_low"] <= row["listed"] <= row["listed_high"]
            assert abs(row["listed"] - len(posted)) <= 0.15 * len(posted)
            due = [each for each in market if begin <= each.expires < begin + HOUR]
            assert 0.9 * len(due) <= row["endings_due"] <= len(due)
            assert row["sales_known"] <= row["endings_known"] <= row["endings_due"]
            assert row["blind_seconds"] == 0
        assert rows[-2]["endings_known"] >= 0.9 * rows[-2]["endings_due"]


async def test_a_night_without_a_look_is_blind(database: str) -> None:
    market = lots(8, hours=8)
    looks = records(Upstream(market), stop=HOUR)
    away = records(Upstream(market), start=6 * HOUR, stop=7 * HOUR)
    given = looks + [replace(each, pos=len(looks) + each.pos) for each in away]
    async with place(database) as at:
        await at.load(at.loader(), given, 16)
        blind = dict(await at.fetch("SELECT hour, blind_seconds FROM m26.coverage_hour"))  # type: ignore[arg-type]
        assert 4.9 * HOUR <= sum(blind.values()) <= 5 * HOUR
        assert blind[datetime.fromtimestamp(FIRST + 3 * HOUR, UTC)] == HOUR


def test_an_estimate_beyond_its_column_keeps_no_batch_from_being_stored() -> None:
    hour = ("ps5", 0, [], 1, (1, 2, 10**10), 0, 0, 0, 0)
    prepared = Prepared("j", [], [], read(), concluded=Concluded(coverage=[hour]))
    (row,) = coverage.rows(prepared)["hours"]
    assert (row["listed"], row["listed_high"]) == (2, 2**31 - 1)


async def test_what_was_inferred_and_proved_later_is_counted_against_what_was_said(
    database: str,
) -> None:
    async with place(database) as at:
        await at.load(at.loader(), records(Upstream(lots(8)), stop=5 * HOUR), 16)
        rows = await at.connection.fetch("SELECT * FROM m26.calibration ORDER BY version")
        assert rows
        for row in rows:
            assert row["applies_from"].timestamp() == row["version"] * HOUR
            assert 0 <= row["price_agreed"] <= row["agreed"] <= row["asked"]
            assert 0 < row["said"] <= row["asked"] + 1
        last = [row for row in rows if row["version"] == rows[-1]["version"]]
        assert {row["evidence"] for row in last} & {"absent, bought", "past_expiry, expired"}
