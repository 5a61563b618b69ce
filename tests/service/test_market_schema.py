"""The interface against its own description: schemathesis asks what is allowed, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis import GenerationMode
from tests.support import servers
from tests.support.asked import SANDERS, served

from m26.embedded.postgres import Postgres
from m26.web.app import ROUTES
from m26.web.openapi import document

SEEN = {"platform": "ps5", "at": "2026-09-21T14:13:50Z"}
_EACH = 4
"""Requests of each route that are allowed, and as many that are not."""


@pytest.fixture(scope="module")
def url(portal: BlockingPortal, postgres: Postgres) -> Iterator[str]:
    with (
        servers.fresh_database(portal, postgres) as dsn,
        portal.wrap_async_context_manager(served(dsn)) as market,
    ):
        portal.call(market.begin)
        yield market.url


def asks(operation: Any, mode: GenerationMode, session: requests.Session, seed: int) -> list[int]:
    """Ask at random; the statuses of the answers, each of which the description has."""
    statuses = []

    @seeded(seed)
    @settings(
        max_examples=_EACH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        if mode.is_positive:  # of what was seen, or nothing would ever be found
            case.path_parameters |= dict.fromkeys(case.path_parameters, SANDERS)
            case.query |= {n: value for n, value in SEEN.items() if n in case.query}
        statuses.append(case.call_and_validate(session=session).status_code)

    ask()
    return statuses


def test_every_answer_is_one_that_the_description_has(url: str, seed: int) -> None:
    schema = schemathesis.openapi.from_dict(document(ROUTES))
    schema.config.update(base_url=url)
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()
            assert 200 in asks(operation, GenerationMode.POSITIVE, session, seed)
            if operation.query or operation.path_parameters:
                refused = asks(operation, GenerationMode.NEGATIVE, session, seed)
                assert 422 in refused
