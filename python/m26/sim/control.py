"""Switches for tests and operators: ``POST /sim/control`` in, changes of the simulator out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from m26.sim.accounts import Account, Kind
from m26.sim.backend import Backend
from m26.sim.behaviour import MEMBERS
from m26.sim.capture import har

_SIGNATURES = frozenset({"signed", "bundles"})
_BEHAVIOUR = frozenset({"platform", "variant", *MEMBERS})

_Step = Callable[[Backend, Any], dict[str, Any] | None]


def apply(backend: Backend, document: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out a control document, or nothing of it when one of its members is not known.

    A document with ``fault`` is a rule (see `faults.Rule` and `catalogue.FAULTS`).  Others have
    any of: ``variant`` (its name) and the members of `behaviour.Behaviour`, of one ``platform`` or
    of all; ``freeze``, ``clock_off`` (seconds), ``session_ttl``, ``token_ttl``,
    ``refresh_ttl``, ``bundle_ttl``, ``kill_sessions``, ``kill_tokens``, ``kill_refresh_tokens``,
    ``kill_bundles`` (true: all; an account's name: its own), ``accept_previous_refresh``,
    ``one_session``, ``signatures`` (both, signed, bundles,
    none), ``clear_faults``, ``issue_code`` and ``capture`` (an account's name).

    Returns:
        ``{"code": …}`` for ``issue_code``, ``{"capture": HAR}`` for ``capture``, else nothing.

    Raises:
        ValueError: an unknown member, or a value that is not possible.
    """
    if "fault" in document:
        backend.faults.add(document)
        return {}
    possible = _BEHAVIOUR | set(_STEPS)
    unknown = sorted(set(document) - possible)
    if unknown:
        raise ValueError(f"unknown member {unknown[0]!r}; there are {', '.join(sorted(possible))}")
    changes = {name: value for name, value in document.items() if name in _BEHAVIOUR}
    if changes:
        platform, variant = (str(changes.pop(name, "")) for name in ("platform", "variant"))
        backend.behave(platform, variant, changes)
    answer: dict[str, Any] = {}
    for name, value in document.items():
        if name in _STEPS:
            answer |= _STEPS[name](backend, value) or {}
    return answer


def _lifetime(kind: str) -> _Step:
    return lambda backend, value: setattr(backend.accounts.life, kind, float(value))


def _kill(kind: Kind) -> _Step:
    def kill(backend: Backend, value: object) -> None:
        if isinstance(value, str):
            backend.accounts.end_all(kind, _account(backend, value))
        elif value:
            backend.accounts.end_all(kind)

    return kill


def _account(backend: Backend, name: object) -> Account:
    account = backend.accounts.all.get(str(name))
    if account is None:
        raise ValueError(f"there is no account {name!r}")
    return account


def _freeze(backend: Backend, value: object) -> None:
    backend.advance()
    for market in backend.markets.values():
        market.frozen = bool(value)
    backend.ledger.flush()


def _clock_off(backend: Backend, value: float) -> None:
    backend.clock_off = float(value)


def _accept_previous(backend: Backend, value: object) -> None:
    backend.accounts.life.accept_previous = bool(value)


def _one_session(backend: Backend, value: object) -> None:
    backend.one_session = bool(value)


def _signatures(backend: Backend, value: object) -> None:
    backend.signatures = _some(_SIGNATURES, value)


def _some(ways: frozenset[str], value: object) -> frozenset[str]:
    """Those of two ways that a word stands for."""
    words = {"both": ways, "none": frozenset[str](), **{way: frozenset({way}) for way in ways}}
    if str(value) not in words:
        raise ValueError(f"{value!r} is none of {', '.join(sorted(words))}")
    return words[str(value)]


def _clear_faults(backend: Backend, value: object) -> None:
    if value:
        backend.faults.rules.clear()


def _issue_code(backend: Backend, value: object) -> dict[str, str]:
    return {"code": backend.accounts.issue("code", _account(backend, value))}


def _capture(backend: Backend, value: object) -> dict[str, Any]:
    return {"capture": orjson.loads(har(backend, _account(backend, value), "http://127.0.0.1"))}


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
    "clock_off": _clock_off,
    "one_session": _one_session,
    "signatures": _signatures,
    "clear_faults": _clear_faults,
    "issue_code": _issue_code,
    "capture": _capture,
}
