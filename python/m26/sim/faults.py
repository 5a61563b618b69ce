"""When faults strike: rules by request number, by chance, by count and by schedule."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from m26.sim.catalogue import FAULTS, WORDS, Fault
from m26.sim.lots import Lots, lots
from m26.sim.pages import Given

KINDS = frozenset({"token", "authorize", "login", "process", "any"})


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault and when it strikes: where all that is given holds."""

    fault: str
    kind: str
    """Which requests it can hit, one of `KINDS`."""
    account: str = ""
    """Only requests of this account."""
    command: str = ""
    """Only this command, by its wire name."""
    after: float = -math.inf
    until: float = math.inf
    """Only in this window of the simulator's time, Unix seconds; `until` is outside of it."""
    at: frozenset[int] = frozenset()
    """Numbers of the requests it hits; `/sim/stats` says the last one's."""
    probability: float = 0.0
    next: int = 0
    """How many requests it still hits, from now on."""
    always: bool = False
    """Nothing but a window was given: every request in it."""
    given: Given = field(default_factory=dict)
    """The fault's own members."""

    @property
    def row(self) -> Fault:
        """The fault's row of the catalogue."""
        return FAULTS[self.fault]


_WHEN = frozenset({"at", "probability", "next", "after", "until"})
_MEMBERS: Mapping[str, type | tuple[type, ...]] = {
    "fault": str,
    "kind": str,
    "account": str,
    "command": str,
    "after": (int, float),
    "until": (int, float),
    "at": list,
    "probability": (int, float),
    "next": int,
}


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
            ValueError: an unknown fault, kind or member, a value of another type, or no saying
                when.
        """
        row = FAULTS.get(str(document.get("fault")))
        if row is None:
            raise ValueError(f"unknown fault; there are {', '.join(sorted(FAULTS))}")
        if document.get("kind", "any") not in KINDS:
            raise ValueError(f"unknown kind; there are {', '.join(sorted(KINDS))}")
        if not _WHEN & set(document):
            raise ValueError(f"a fault needs one of {', '.join(sorted(_WHEN))}")
        rule: dict[str, Any] = {"kind": row.kind}
        given = dict(row.members)
        for name, value in document.items():
            if name in _MEMBERS:
                wanted, place = _MEMBERS[name], rule
            elif name in given:
                wanted, place = _type(row.members[name]), given
            else:
                raise ValueError(f"unknown member {name!r} of fault {document['fault']!r}")
            if not isinstance(value, wanted):
                raise ValueError(f"{name} is of another type")  # noqa: TRY004 - so is all else
            if name in WORDS and value not in WORDS[name]:
                raise ValueError(f"{name} is one of {', '.join(WORDS[name])}")
            place[name] = value
        rule["at"] = frozenset(document.get("at", ()))
        rule["always"] = not {"at", "probability", "next"} & set(document)
        self.rules.append(Rule(**rule, given=given))

    def pick(
        self, number: int, *, kind: str, account: str, command: str, now: float
    ) -> Rule | None:
        """The fault that strikes request `number`, if any."""
        for rule in self.rules:
            whose = rule.account in {"", account} and rule.command in {"", command}
            if rule.kind not in {kind, "any"} or not whose or not rule.after <= now < rule.until:
                continue
            by_chance = rule.probability and self._rng.random() < rule.probability
            if rule.always or number in rule.at or rule.next > 0 or by_chance:
                rule.next -= rule.next > 0
                self.struck[rule.fault] += 1
                return rule
        return None


def _type(default: object) -> type | tuple[type, ...]:
    """What may be given in place of a default."""
    if default is None:
        return object
    return (int, float) if isinstance(default, float) else type(default)
