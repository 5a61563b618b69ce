"""Which card a text means: what an operator writes in, cards out, the likeliest first.

Every word of ``drew sanders 82`` has to say something of the card: its name, its overall, its
position, its program. Where no card has all of them, those whose names are spelled most alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from m26.market.rows import CandidateView

_ALIKE = 0.75
"""Of difflib's ratio: one letter of four wrong, or two swapped in a short name."""


def words(text: str) -> list[str]:
    """A text's words, in small letters without accents and apostrophes."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(c for c in plain if not unicodedata.combining(c) and c not in "'\u2019.")
    return "".join(c if c.isalnum() else " " for c in kept).split()


class Names:
    """The cards of a market by what they are called.

    Args:
        cards: of the market.
        others: what is known of others; what is said of `cards` holds.
    """

    def __init__(self, cards: Iterable[CandidateView], others: Names | None = None) -> None:
        self._of: dict[int, tuple[CandidateView, _Said]] = {}
        if others is not None:
            self._of |= others._of  # noqa: SLF001 - one of these
        for card in cards:
            known = self._of.get(card["card_id"])
            if known is None or known[0] != card:
                self._of[card["card_id"]] = card, _Said(card)
        self._cards = self._of.values()

    def __len__(self) -> int:
        return len(self._cards)

    def find(self, text: str) -> list[CandidateView]:
        """Cards that the text may mean, the likeliest first; exact ones, or else those alike."""
        found = self.exact(text)
        return found or [{**card, "exact": False} for card in self._alike(words(text))]

    def exact(self, text: str) -> list[CandidateView]:
        """Cards of which every word says something, the likeliest first.

        A number is a card's id where there is such a card.
        """
        wanted = words(text)
        if len(wanted) == 1 and wanted[0].isdecimal():
            by_id = self._of.get(int(wanted[0]))
            if by_id is not None:
                return [{**by_id[0], "exact": True}]
        return self._having(wanted)

    def _having(self, wanted: Sequence[str]) -> list[CandidateView]:
        """Cards of which every word says something: all of a name before a part of one."""
        asked = frozenset(wanted)
        whole = [(card, said) for card, said in self._cards if asked <= said.words]
        found = [card for card, said in whole if said.name <= asked] or [card for card, _ in whole]
        if not found and asked:
            found = [card for card, said in self._cards if said.begins_with(asked)]
        found.sort(key=lambda card: (-(card["overall"] or 0), card["card_id"]))
        return [{**card, "exact": True} for card in found if asked]

    def _alike(self, wanted: Sequence[str]) -> list[CandidateView]:
        """Cards with words spelled like those that are wanted; numbers only choose among them."""
        spelled = [word for word in wanted if not word.isdecimal()]
        known = {word for _, said in self._cards for word in said.name}
        meant = [set(get_close_matches(word, known, n=20, cutoff=_ALIKE)) for word in spelled]
        numbers = [word for word in wanted if word.isdecimal()]
        counted = [
            (
                sum(bool(said.name & alike) for alike in meant),
                sum(word == said.overall for word in numbers),
                card,
            )
            for card, said in self._cards
        ]
        most = max((count for count, _, _ in counted), default=0)
        if most == 0:
            return []
        kept = [each for each in counted if each[0] == most]
        kept.sort(key=lambda each: (-each[1], -(each[2]["overall"] or 0), each[2]["card_id"]))
        return [card for *_, card in kept]


class _Said:
    """What the words of a text may say of one card."""

    __slots__ = ("name", "overall", "words")

    def __init__(self, card: CandidateView) -> None:
        self.name = frozenset(words(card["name"] or ""))
        self.overall = str(card["overall"])
        about = (self.overall, (card["position"] or "").casefold(), *words(card["program"] or ""))
        self.words = self.name.union(about)

    def begins_with(self, asked: Iterable[str]) -> bool:
        """Whether each begins one of the card's words."""
        return all(any(each.startswith(word) for each in self.words) for word in asked)
