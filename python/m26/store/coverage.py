"""How much of the market a batch's records saw, and what later proof said, into their two tables.

Rows are whole and replace those of before, so that it makes no difference where batches are cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from m26.store.batch import Prepared

_HOUR = 3_600_000_000
_MOST = 2**31 - 1
"""Of a column: an estimate that says more than it holds must not keep a batch from being stored."""
_VERSIONS = 48
"""Tables of a part that are kept, one an hour: the newest is in use."""

_COUNTS = ("seen", "listed_low", "listed", "listed_high", "endings_due", "endings_known")
_COUNTED = (*_COUNTS, "sales_known", "blind_seconds")
_CLAIMS = ("asked", "agreed", "price_agreed", "said", "price_said")


def _hours(given: str) -> str:
    return f"""
INSERT INTO m26.coverage_hour (part, platform, hour, requests, {", ".join(_COUNTED)})
SELECT part, platform, timestamptz 'epoch' + hour * interval '1 us', requests,
    {", ".join(_COUNTED)}
FROM jsonb_to_recordset({given} -> 'hours') AS r (
    part text, platform text, hour bigint, requests jsonb,
    {", ".join(f"{name} int" for name in _COUNTED)})
ON CONFLICT (part, platform, hour) DO UPDATE SET requests = excluded.requests,
    {", ".join(f"{name} = excluded.{name}" for name in _COUNTED)}"""  # noqa: S608 - constants


def _tables(given: str) -> str:
    return f"""
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset({given} -> 'claims') AS r (
        part text, platform text, evidence text, band text, lead text, version int, applies bigint,
        {", ".join(f"{name} float8" for name in _CLAIMS)})
), old AS (
    DELETE FROM m26.calibration AS c USING (SELECT DISTINCT part, platform, version FROM given) AS g
    WHERE c.part = g.part AND c.platform = g.platform AND c.version <= g.version - {_VERSIONS}
)
INSERT INTO m26.calibration (
    part, platform, evidence, band, lead, version, applies_from, {", ".join(_CLAIMS)})
SELECT part, platform, evidence, band, lead, version,
    timestamptz 'epoch' + applies * interval '1 us', {", ".join(_CLAIMS)}
FROM given
ON CONFLICT (part, platform, version, evidence, band, lead) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _CLAIMS)}"""  # noqa: S608 - constants


_WRITE = (_hours("$1::jsonb"), _tables("$1::jsonb"))
# Of a batch that is staged, with the same as JSON in a setting of the transaction.
_BATCH = "(current_setting('m26.batch')::jsonb -> 'seen')"
STAGED = f"{_hours(_BATCH)};\n{_tables(_BATCH)};"


def rows(prepared: Prepared) -> dict[str, list[dict[str, Any]]]:
    """What is to be written, as the statements take it; mostly nothing."""
    part, concluded = prepared.part, prepared.concluded
    hours, claims = [], []
    for platform, hour, requests, seen, listed, *ended in concluded.coverage:
        low, likely, high = listed
        row = {"part": part, "platform": platform, "hour": hour, "requests": dict(requests)}
        counts = (min(each, _MOST) for each in (seen, low, likely, high, *ended))
        hours.append({**row, **dict(zip(_COUNTED, counts, strict=True))})
    for platform, applies, evidence, band, lead, asked, outcome, price in concluded.calibration:
        row = {"part": part, "platform": platform, "evidence": evidence, "band": band, "lead": lead}
        row |= {"version": applies // _HOUR, "applies": applies}
        (agreed, said), (price_agreed, price_said) = outcome, price
        claimed = (asked, agreed, price_agreed, said, price_said)
        claims.append({**row, **dict(zip(_CLAIMS, claimed, strict=True))})
    return {"hours": hours, "claims": claims}


async def write(connection: PoolConnectionProxy[Any], prepared: Prepared) -> None:
    """Write what `rows` gives."""
    given = rows(prepared)
    for statement, those in zip(_WRITE, given.values(), strict=True):
        if those:
            await connection.execute(statement, orjson.dumps(given).decode())
