"""Switches for tests and operators: ``POST /sim/control`` in, changes of the simulator out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from m26.sim.accounts import Kind
from m26.sim.backend import Backend

_PAGING = {
    "both": frozenset({"url", "payload"}),
    "url": frozenset({"url"}),
    "payload": frozenset({"payload"}),
    "none": frozenset[str](),
}


_Step = Callable[[Backend, Any], dict[str, Any] | None]


def apply(backend: Backend, document: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out a control document, or nothing of it when one of its members is not known.

    A document with ``fault`` is a rule (see `faults.Rule`).  Others have any of: ``freeze``,
    ``linger``, ``session_ttl``, ``token_ttl``, ``refresh_ttl``, ``bundle_ttl``,
    ``kill_sessions``, ``kill_tokens``, ``kill_refresh_tokens``, ``kill_bundles``,
    ``accept_previous_refresh``, ``paging`` (both, url, payload, none), ``clear_faults`` and
    ``issue_code`` (an account's name).

    Returns:
        ``{"code": …}`` for ``issue_code``, else nothing.

    Raises:
        ValueError: an unknown member, or a value that is not possible.
    """
    if "fault" in document:
        backend.faults.add(document)
        return {}
    unknown = sorted(set(document) - set(_STEPS))
    if unknown:
        raise ValueError(f"unknown member {unknown[0]!r}; there are {', '.join(sorted(_STEPS))}")
    answer: dict[str, Any] = {}
    for name, value in document.items():
        answer |= _STEPS[name](backend, value) or {}
    return answer


def _lifetime(kind: str) -> _Step:
    return lambda backend, value: setattr(backend.accounts.life, kind, float(value))


def _kill(kind: Kind) -> _Step:
    return lambda backend, value: backend.accounts.end_all(kind) if value else None


def _freeze(backend: Backend, value: object) -> None:
    backend.advance()
    for market in backend.markets.values():
        market.frozen = bool(value)
    backend.ledger.flush()


def _linger(backend: Backend, value: float) -> None:
    for market in backend.markets.values():
        market.linger = float(value)


def _accept_previous(backend: Backend, value: object) -> None:
    backend.accounts.life.accept_previous = bool(value)


def _paging(backend: Backend, value: str) -> None:
    if value not in _PAGING:
        raise ValueError(f"paging is one of {', '.join(_PAGING)}")
    backend.paging = _PAGING[value]


def _clear_faults(backend: Backend, value: object) -> None:
    if value:
        backend.faults.rules.clear()


def _issue_code(backend: Backend, value: str) -> dict[str, str]:
    if value not in backend.accounts.all:
        raise ValueError("issue_code names an account that there is not")
    return {"code": backend.accounts.issue("code", backend.accounts.all[value])}


_STEPS: Mapping[str, _Step] = {
    "session_ttl": _lifetime("session"),
    "token_ttl": _lifetime("access"),
    "refresh_ttl": _lifetime("refresh"),
    "bundle_ttl": _lifetime("bundle"),
    "kill_sessions": _kill("session"),
    "kill_tokens": _kill("access"),
    "kill_refresh_tokens": _kill("refresh"),
    "kill_bundles": _kill("bundle"),
    "accept_previous_refresh": _accept_previous,
    "freeze": _freeze,
    "linger": _linger,
    "paging": _paging,
    "clear_faults": _clear_faults,
    "issue_code": _issue_code,
}
