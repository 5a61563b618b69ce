"""Switchable faults: rules by request number, by probability or for the next few requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from m26.sim.lots import Lots, lots
from m26.sim.replies import Delivery, Reply, blaze_error, html, json, oauth_error, wrong_game


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault and when it strikes."""

    fault: str
    kind: str = "process"
    """Which requests it can hit: ``token``, ``login``, ``process`` or ``any``."""
    at: frozenset[int] = frozenset()
    """Numbers of the requests it hits; `/sim/stats` says the last one's."""
    probability: float = 0.0
    next: int = 0
    """How many requests it still hits, from now on."""
    name: str = ""
    """``error``: the errorname."""
    status: int = 500
    """``status``: the HTTP status."""
    retry_after: int | None = None
    """``rate_limit``: seconds of the Retry-After header, if any."""


_INSTEAD: Mapping[str, Callable[[Rule], Reply]] = {
    "rate_limit": lambda rule: html(429, "Too Many Requests", _retry_after(rule)),
    "timeout": lambda _: blaze_error("ERR_TIMEOUT", text="The request timed out."),
    "system": lambda _: blaze_error("ERR_SYSTEM"),
    "error": lambda rule: blaze_error(rule.name or "ERR_CANCELED", text="Injected."),
    "xml_404": lambda _: wrong_game("madden-2026-sim-gen5"),
    "html_403": lambda _: html(403, "Access Denied"),
    "unauthorized": lambda _: html(401, "Unauthorized"),
    "unavailable": lambda _: html(503, "Service Unavailable"),
    "status": lambda rule: html(rule.status, "Error"),
    "invalid_grant": lambda _: oauth_error("invalid_grant", "refresh_token is invalid"),
    "success_false": lambda _: json({"success": False}, answer="success false"),
}
"""Faults that answer in place of the gateway."""

DELIVERIES: Mapping[str, Delivery] = {"half_gzip": "half_gzip", "reset": "reset", "drip": "drip"}
"""Faults on the way of a reply that is right."""

INSIDE = frozenset({"session_kill", "token_kill", "ui_error", "captcha", "truncated"})
"""Faults of the gateway itself."""

NAMES = frozenset({*_INSTEAD, *DELIVERIES, *INSIDE})
_KINDS = frozenset({"token", "login", "process", "any"})


@dataclass(slots=True)
class Faults:
    """The rules in force, first come first served, and how often each fault struck."""

    seed: int
    rules: list[Rule] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    _rng: Lots = field(init=False)

    def __post_init__(self) -> None:
        self._rng = lots("faults", self.seed)

    def add(self, document: Mapping[str, Any]) -> None:
        """Add a rule from its JSON form.

        Raises:
            ValueError: an unknown fault, kind or member, or no saying when.
        """
        unknown = set(document) - set(Rule.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown member {min(unknown)!r} of a fault")
        if document.get("fault") not in NAMES:
            raise ValueError(f"unknown fault; there are {', '.join(sorted(NAMES))}")
        if document.get("kind", "process") not in _KINDS:
            raise ValueError(f"unknown kind; there are {', '.join(sorted(_KINDS))}")
        if not any(document.get(when) for when in ("at", "probability", "next")):
            raise ValueError("a fault needs one of at, probability, next")
        self.rules.append(Rule(**{**document, "at": frozenset(document.get("at", ()))}))

    def pick(self, number: int, kind: str) -> Rule | None:
        """The fault that strikes request `number`, if any."""
        for rule in self.rules:
            if rule.kind not in {kind, "any"}:
                continue
            by_chance = rule.probability and self._rng.random() < rule.probability
            if number in rule.at or rule.next > 0 or by_chance:
                rule.next -= rule.next > 0
                self.struck[rule.fault] += 1
                return rule
        return None


def instead(rule: Rule | None) -> Reply | None:
    """The answer in place of the gateway's, when the fault is of that sort."""
    make = _INSTEAD.get(rule.fault) if rule is not None else None
    return make(rule) if make is not None and rule is not None else None


def _retry_after(rule: Rule) -> dict[str, str]:
    return {} if rule.retry_after is None else {"retry-after": str(rule.retry_after)}
