from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway import bundle, credentials, desk, tokens

from m26.auth.credentials import Bundle, Credentials
from m26.auth.pool import Pool
from m26.auth.session import Session
from m26.auth.signer import Signature, Signer
from m26.auth.vault import Vault
from m26.upstream.secret import Secret
from m26.upstream.verdicts import RefusedError

pytestmark = pytest.mark.anyio


def reachable(value: object, seen: dict[int, object]) -> Iterator[object]:
    """Everything of ours that `value` leads to, and the containers in which it lies."""
    is_ours = type(value).__module__.startswith("m26.")
    if id(value) in seen or not (is_ours or isinstance(value, dict | list | tuple | set)):
        return
    seen[id(value)] = value
    yield value
    if isinstance(value, Secret):
        return
    if isinstance(value, dict):
        parts: list[Any] = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set):
        parts = list(value)
    else:
        names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        parts = [getattr(value, name, None) for name in names]
        parts += getattr(value, "__dict__", {}).values()
    for part in parts:
        yield from reachable(part, seen)


async def test_no_repr_of_anything_that_a_session_leads_to_shows_a_secret(tmp_path: Path) -> None:
    held = credentials(
        client_id=Secret("CANARY-CLIENT"),
        client_secret=Secret("CANARY-CLIENT-SECRET"),
        tokens=tokens(left=30),
        bundles=(bundle(1), bundle(2)),
    )
    at = desk(tmp_path, held)
    for reason in ("ok", "signature_rejected", "signature_rejected", "session_rejected"):
        await at.ask(reason)
    await at.ask()
    await at.session.renew_session(dead=at.session.ticket_id)
    signature = await at.session._signer.sign(
        await at.session._ensure(), command="Mobile_SearchAuctions"
    )
    found = list(reachable((at.session, at.vault, signature), {}))
    kinds = {type(value) for value in found}
    assert {Session, Signer, Signature, Pool, Bundle, Credentials, Vault, Secret} <= kinds
    key = (tmp_path / "vault.key").read_text().strip()
    for value in found:
        for shown in (repr(value), str(value), f"{value}"):
            assert "CANARY" not in shown, type(value)
            assert key not in shown, type(value)


async def test_errors_show_no_secret_either(tmp_path: Path) -> None:
    at = desk(tmp_path, credentials(tokens=replace(tokens(), refresh=None)))
    with pytest.raises(RefusedError) as refused:
        await at.session.renew_tokens()
    assert "CANARY" not in repr(refused.value) + str(refused.value.__dict__)
