"""How credentials fared: events in, one change of what the vault holds out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from m26.auth.credentials import Bundle, Credentials, Use


class Health(NamedTuple):
    """What quarantines a bundle; see `Bundle`."""

    failures: int
    retry_at: float


@dataclass(slots=True)
class Tally:
    """What happened since it was last written down.

    Counts are what is to be added, so that several processes of one account can each add theirs.
    """

    uses: dict[str, Use] = field(default_factory=dict)
    """By credential, as in `Credentials.uses`."""
    bundles: dict[str, dict[str, Use]] = field(default_factory=dict)
    """By bundle and command."""
    health: dict[str, Health] = field(default_factory=dict)
    """By bundle; those that it changed for."""
    life: float | None = None
    """`Credentials.bundle_life`, when something new was learned."""

    def __bool__(self) -> bool:
        return bool(self.uses or self.bundles or self.health or self.life is not None)

    def accept(self, credential: str, now: float) -> None:
        """A request with it was accepted."""
        self.uses[credential] = self.uses.get(credential, Use()).accept(now)

    def refuse(self, credential: str, reason: str, now: float) -> None:
        """A request with it was not."""
        self.uses[credential] = self.uses.get(credential, Use()).refuse(reason, now)

    def use_bundle(self, bundle: str, command: str, use: Use) -> None:
        """Note one use of a bundle."""
        uses = self.bundles.setdefault(bundle, {})
        uses[command] = uses.get(command, Use()).plus(use)

    def take(self) -> Tally:
        """All of it, for writing; this one is empty then."""
        taken = replace(self)
        self.uses, self.bundles, self.health, self.life = {}, {}, {}, None
        return taken

    def put_back(self, taken: Tally) -> None:
        """It could not be written: it comes before what happened since."""
        later = self.take()
        self.uses = _added(taken.uses, later.uses)
        self.bundles = dict(taken.bundles)
        for bundle, uses in later.bundles.items():
            self.bundles[bundle] = _added(self.bundles.get(bundle, {}), uses)
        self.health = taken.health | later.health
        self.life = taken.life if later.life is None else later.life

    def onto(self, credentials: Credentials) -> Credentials:
        """What the vault holds, and this."""
        return replace(
            credentials,
            uses=_added(credentials.uses, self.uses),
            bundles=tuple(self._bundle(bundle) for bundle in credentials.bundles),
            bundle_life=credentials.bundle_life if self.life is None else self.life,
        )

    def _bundle(self, bundle: Bundle) -> Bundle:
        uses, health = self.bundles.get(bundle.id), self.health.get(bundle.id)
        if uses:
            bundle = replace(bundle, uses=_added(bundle.uses, uses))
        return replace(bundle, **health._asdict()) if health else bundle


def _added(earlier: Mapping[str, Use], later: Mapping[str, Use]) -> dict[str, Use]:
    return {**earlier, **{name: earlier.get(name, Use()).plus(use) for name, use in later.items()}}
