"""The pool of captured bundles: which one to use next, and what a reply says about its health."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from m26.auth.credentials import Bundle, Credentials

_SUSPECT = 2
"""Failures in a row after which a bundle rests: one alone may be the session's fault."""
_REST = 900.0
"""Seconds of the first rest; doubled each time."""
_DEAD = 6
"""Failures in a row after which a bundle is not used again."""


class Pool:
    """Bundles of one account, in memory; `bundles` goes back to the vault when health changed."""

    def __init__(self, bundles: Iterable[Bundle]) -> None:
        self._bundles = {bundle.id: bundle for bundle in bundles}
        self._used: dict[str, int] = dict.fromkeys(self._bundles, 0)
        self._uses = 0

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """All bundles with their present health."""
        return tuple(self._bundles.values())

    @property
    def has_resting(self) -> bool:
        """Whether a bundle that cannot be used now may be used later."""
        return any(bundle.failures < _DEAD for bundle in self._bundles.values())

    def pick(self, *, now: float, blaze_id: int | None) -> Bundle | None:
        """The least recently used bundle that is healthy and of the session's persona.

        Args:
            now: Unix seconds.
            blaze_id: persona of the session; None when unknown, then any bundle will do.
        """
        usable = [b for b in self._bundles.values() if is_usable(b, now=now, blaze_id=blaze_id)]
        if not usable:
            return None
        # Among those not used yet the newest capture lives longest.
        chosen = min(usable, key=lambda b: (self._used[b.id], b.failures, -b.captured_at))
        self._uses += 1
        self._used[chosen.id] = self._uses
        return chosen

    def succeeded(self, bundle: Bundle) -> bool:
        """A request with it was accepted; True when its health changed."""
        return self._set(replace(self._bundles[bundle.id], failures=0, retry_at=0.0))

    def failed(self, bundle: Bundle, *, now: float, surely: bool = False) -> bool:
        """A request with it was refused in a way that may be its fault, or surely is."""
        failures = self._bundles[bundle.id].failures + 1
        if surely:
            failures = max(failures, _SUSPECT)
        rest = _REST * 2 ** (failures - _SUSPECT) if failures >= _SUSPECT else 0.0
        return self._set(replace(self._bundles[bundle.id], failures=failures, retry_at=now + rest))

    def _set(self, bundle: Bundle) -> bool:
        changed = self._bundles[bundle.id] != bundle
        self._bundles[bundle.id] = bundle
        return changed


def is_usable(bundle: Bundle, *, now: float, blaze_id: int | None = None) -> bool:
    """Whether a bundle may be used now for a session of `blaze_id`."""
    same_persona = None in (bundle.blaze_id, blaze_id) or bundle.blaze_id == blaze_id
    return bundle.failures < _DEAD and bundle.retry_at <= now and same_persona


def merged(held: Credentials, pool: Pool) -> tuple[Bundle, ...]:
    """The vault's bundles with the pool's word on their health; ones it does not know stay."""
    known = {bundle.id: bundle for bundle in pool.bundles}
    return tuple(known.get(bundle.id, bundle) for bundle in held.bundles)
