"""What matters more to the operator in; weights of cards, as pages show them, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Focus:
    """Weights of cards beside that of all others, which is 1.

    Args:
        weights: by kind (``cards``, ``overall``, ``position``, ``program``) and name; an overall
            is a number or a range such as ``90-99``. Of several that fit, the largest counts.
    """

    def __init__(self, weights: Mapping[str, Mapping[str, float]]) -> None:
        self._seen: dict[int, tuple[str, int, str]] = {}
        """Position, overall and program of each card."""
        self.turn_to(weights)

    def turn_to(self, given: Mapping[str, Mapping[str, float]]) -> None:
        """Other weights from now on, also of the cards that were seen before."""
        self.given = given
        self._cards = {int(name): of for name, of in given.get("cards", {}).items()}
        self._overall = [_span(name, of) for name, of in given.get("overall", {}).items()]
        self._position = given.get("position", {})
        self._program = given.get("program", {})
        self.weights = dict(self._cards)
        """Of each card that was seen and weighs something else than 1."""
        for card_id in self._seen:
            self._weigh(card_id)

    def learn(self, cards: Iterable[tuple[Any, ...]]) -> bool:
        """Take in card rows, as `Batch.card_rows` gives them; whether a weight is new."""
        known = len(self.weights)
        for card_id, _, _, position, overall, _, _, program, *_ in cards:
            self._seen[card_id] = (position or "", overall or 0, program or "")
            self._weigh(card_id)
        return len(self.weights) > known

    def _weigh(self, card_id: int) -> None:
        position, overall, program = self._seen[card_id]
        given = [
            self._cards.get(card_id),
            self._position.get(position),
            self._program.get(program),
            *(of for low, high, of in self._overall if low <= overall <= high),
        ]
        found = [weight for weight in given if weight is not None]
        if found and max(found) != 1:
            self.weights[card_id] = max(found)


def _span(name: str, weight: float) -> tuple[int, int, float]:
    low, _, high = name.partition("-")
    return int(low), int(high or low), weight
