"""The pool of captured bundles: which one to use next, and what a reply says about its health."""

from __future__ import annotations

from dataclasses import replace

from m26.auth.credentials import Bundle, Credentials, Ticket, Use
from m26.auth.tally import Health, Tally

_REST = 900.0
"""Seconds of the first rest; doubled each time, until the bundle is dead."""


class Pool:
    """Bundles of one account, in memory; their uses and failures go into the tally.

    A bundle rests after a refusal of its signature. A rejected session or token may be the
    bundle's fault or not: such a bundle is a suspect, which goes to the end of the line until
    another one has shown that the new session is good. Then it is asked again.

    Args:
        credentials: the account's credentials.
        tally: what is not written down yet.
    """

    def __init__(self, credentials: Credentials, tally: Tally | None = None) -> None:
        self._tally = Tally() if tally is None else tally
        self._turns: dict[str, tuple[int, float]] = {}
        self._uses = 0
        self._suspects: dict[str, str] = {}
        """The session in which each was rejected."""
        self._proven = ""
        """The session in which a bundle was accepted last."""
        self._refused_in_a_row = 0
        self.load(credentials)

    def load(self, credentials: Credentials) -> None:
        """Take over what the vault holds now: other processes add, drop and use bundles too."""
        credentials = self._tally.onto(credentials)
        self._bundles = {bundle.id: bundle for bundle in credentials.bundles}
        self._life = credentials.bundle_life
        self._turns = {b.id: self._turns.get(b.id, (0, b.used_at)) for b in credentials.bundles}
        self._suspects = {id_: s for id_, s in self._suspects.items() if id_ in self._bundles}

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """All bundles with their present health."""
        return tuple(self._bundles.values())

    @property
    def life(self) -> float | None:
        """Seconds for which a bundle is accepted; None while none has ended."""
        return self._life

    def has_resting(self, ticket: Ticket) -> bool:
        """Whether one that cannot be used for this session now may be used later."""
        someday = max((bundle.retry_at for bundle in self._bundles.values()), default=0.0)
        return any(b.is_usable(someday, blaze_id=ticket.blaze_id) for b in self._bundles.values())

    def pick(self, ticket: Ticket, *, now: float) -> Bundle | None:
        """The least recently used bundle that is healthy and of the session's persona.

        Args:
            ticket: the session; one whose persona is not known takes any bundle.
            now: Unix seconds.
        """
        session = ticket.id
        usable = [
            (self._rank(id_, bundle, session, now), id_)
            for id_, bundle in self._bundles.items()
            if bundle.is_usable(now, blaze_id=ticket.blaze_id)
        ]
        if not usable:
            return None
        _, chosen = min(usable)
        self._uses += 1
        self._turns[chosen] = (self._uses, now)
        return self._bundles[chosen]

    def _rank(self, id_: str, bundle: Bundle, session: str, now: float) -> tuple[float, ...]:
        """The lowest is used next."""
        suspect_since = self._suspects.get(id_)
        cleared_next = suspect_since not in (None, session) and self._proven == session
        expired = self._life is not None and bundle.captured_at + self._life <= now
        # After a refusal, and past the expected end, the newest is the likeliest to be accepted.
        newest_first = expired or self._refused_in_a_row > 0
        turn = (0, 0.0) if newest_first else self._turns[id_]
        suspect = suspect_since is not None
        return (not cleared_next, suspect, expired, *turn, bundle.failures, -bundle.captured_at)

    def accepted(self, bundle_id: str, command: str, ticket: Ticket, *, now: float) -> bool:
        """A request with it was accepted; whether its health changed."""
        self._suspects.pop(bundle_id, None)
        self._proven = ticket.id
        self._refused_in_a_row = 0
        bundle = self._bundles.get(bundle_id)
        if bundle is None:  # dropped meanwhile
            return False
        if self._life is not None and now - bundle.captured_at > self._life:
            self._life = self._tally.life = now - bundle.captured_at  # they live longer than that
        health = Health(0, 0.0)
        changed = health != (bundle.failures, bundle.retry_at)
        self._note(bundle, command, Use().accept(now), health if changed else None)
        return changed

    def rejected(
        self, bundle_id: str, command: str, ticket: Ticket, *, reason: str, now: float
    ) -> bool:
        """A request with it was rejected for a reason that may be its fault; whether it rests."""
        bundle = self._bundles.get(bundle_id)
        if bundle is None:
            return False
        if bundle_id in self._suspects and self._proven == ticket.id:
            del self._suspects[bundle_id]  # others are accepted in this session: it is the bundle
            self._rest(bundle, command, Use().refuse(reason, now), now)
            return True
        self._suspects[bundle_id] = ticket.id
        self._note(bundle, command, Use().refuse(reason, now), None)
        return False

    def refused(self, bundle_id: str, command: str, *, reason: str, now: float) -> None:
        """Its signature was refused: it rests, and may teach us how long bundles live."""
        bundle = self._bundles.get(bundle_id)
        if bundle is None:
            return
        self._learn(bundle)
        rest = self._rest(bundle, command, Use().refuse(reason, now), now)
        if bundle.accepted_at and self._refused_in_a_row:
            # The second in a row that used to be good, and the newest of the rest: what is older
            # has ended too. It is counted as ended, which saves a request for each.
            for older in self._bundles.values():
                if older.captured_at <= bundle.captured_at and older.retry_at < rest.retry_at:
                    self._set(older, Health(max(older.failures, rest.failures), rest.retry_at))
        self._refused_in_a_row += 1

    def _learn(self, bundle: Bundle) -> None:
        """Learn from the second refusal in a row of a bundle that was accepted before.

        All bundles live equally long from their capture on. This one's life lies between its age
        at the last acceptance and its age at the first refusal, and the estimate moves into these
        bounds by as little as it takes. As the true life lies in all of them, no step leads away
        from it, and the smallest upper bound is never exceeded. The first estimate is the middle.
        One refusal alone may be a passing fault of the upstream.
        """
        if not bundle.accepted_at or bundle.failures != 1:
            return
        if bundle.accepted_at < bundle.captured_at:
            return  # a clock was wrong when it was captured
        lower = bundle.accepted_at - bundle.captured_at
        upper = max(lower, bundle.used_at - bundle.captured_at)
        life = (lower + upper) / 2 if self._life is None else self._life
        life = min(max(life, lower), upper)
        if life != self._life:
            self._life = self._tally.life = life

    def _rest(self, bundle: Bundle, command: str, use: Use, now: float) -> Health:
        health = Health(bundle.failures + 1, now + _REST * 2.0**bundle.failures)
        self._note(bundle, command, use, health)
        return health

    def _note(self, bundle: Bundle, command: str, use: Use, health: Health | None) -> None:
        self._tally.use_bundle(bundle.id, command, use)
        uses = {**bundle.uses, command: bundle.uses.get(command, Use()).plus(use)}
        bundle = self._bundles[bundle.id] = replace(bundle, uses=uses)
        if health is not None:
            self._set(bundle, health)

    def _set(self, bundle: Bundle, health: Health) -> None:
        self._tally.health[bundle.id] = health
        self._bundles[bundle.id] = replace(bundle, **health._asdict())
