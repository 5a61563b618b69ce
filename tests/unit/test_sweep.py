"""The market page after page, with a scripted session in place of the network."""

from __future__ import annotations

import pytest
from tests.support.scripted import Make, ScriptEndedError, blaze, reply
from tests.support.wire import T0, auction, body

from m26.collect.sweep import collect, sweep
from m26.models import SWEEP_END
from m26.upstream.profile import Paging

pytestmark = pytest.mark.anyio
PAGING = Paging(mode="url", count=100)


async def test_a_sweep_ends_at_an_empty_page_and_is_complete(bench: Make) -> None:
    made = bench(reply(body(auction(1), auction(2))), reply(body(auction(3))), reply(body()))
    facts = await sweep(made.exchange, PAGING)

    assert (facts.complete, facts.why, facts.pages_asked, facts.auctions) == (
        True,
        "empty page",
        3,
        3,
    )
    offsets = [n[1]["offset"] for n in made.session.notes if n[0] == "request"]
    assert offsets == ["0", "2", "3"]
    assert made.journal[-1].command == SWEEP_END
    assert {page.sweep for page in made.journal} == {facts.started_at}


async def test_a_repeated_page_ends_a_sweep_that_is_not_complete(bench: Make) -> None:
    made = bench(reply(body(auction(1))), reply(body(auction(1), at=T0 + 9)))
    facts = await sweep(made.exchange, PAGING)

    assert (facts.complete, facts.why) == (False, "page repeated: paging is ignored")


async def test_a_truncated_page_or_a_pause_makes_a_sweep_incomplete(bench: Make) -> None:
    cut = body(auction(1)).replace(b'"truncated":false', b'"truncated":true')
    made = bench(reply(cut), reply(body()))
    assert not (await sweep(made.exchange, PAGING)).complete

    made = bench(reply(body(auction(1))), blaze("DUPLICATE_LOGIN"), reply(body()))
    facts = await sweep(made.exchange, PAGING)
    assert (facts.complete, facts.why) == (False, "empty page, after a pause")


async def test_without_paging_one_page_is_a_sweep(bench: Make) -> None:
    made = bench(reply(body(auction(1))))
    facts = await sweep(made.exchange, Paging(mode="none"))

    assert (facts.complete, facts.pages_asked) == (True, 1)
    assert made.session.notes[1] == ("request", {})


async def test_three_empty_sweeps_in_a_row_are_told_until_one_is_not(bench: Make) -> None:
    made = bench(*[reply(body())] * 5)
    seen: list[str] = []
    made.status.on_change(lambda c: seen.append(c.reason))
    with pytest.raises(ScriptEndedError):
        await collect(made.exchange, PAGING)
    assert [why.partition(":")[0] for why in seen] == ["starting", "", "market_empty"]

    made.session.script = [reply(body(auction(1))), reply(body())]
    with pytest.raises(ScriptEndedError):
        await collect(made.exchange, PAGING)
    assert made.status.current.reason == ""
