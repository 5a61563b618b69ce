"""A game (market, variant, planner's command) in; its figures out."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benches.market import model
from benches.market.dialogue import Break, Plan, Run
from benches.market.model import Market
from benches.market.scores import Figures, score, window
from benches.market.trace import Trace, parse
from benches.market.variants import Variant


@dataclass(frozen=True, slots=True)
class Game:
    """One run to be played."""

    variant: str
    command: tuple[str, ...]
    upstream: Variant
    market: Market
    trace: Path | None = None
    """NDJSON to play in place of the market."""
    cache: Path | None = None
    switches: tuple[tuple[float, str, str], ...] = ()
    breaks: tuple[Break, ...] = ()
    scored: tuple[float, float] | None = None
    """From and to which day; None: the second one."""
    away: tuple[float, float] = (0, 0)
    """From and to which hour nobody looks: what was listed and ended meanwhile is not scored."""
    keep: Path | None = None
    """Folder in which home and log of the run are left."""

    @property
    def label(self) -> str:
        """Of its line."""
        return f"{self.variant} {self.market.seed}"


def played(game: Game) -> Figures:
    """Play it; the planner's standard error goes to a log, whose end is shown if it failed."""
    if game.keep:
        return _play(game, game.keep / game.label.replace(" ", "-"))
    with tempfile.TemporaryDirectory(prefix="m26-market-run-") as folder:
        return _play(game, Path(folder) / "run")


def _play(game: Game, folder: Path) -> Figures:
    trace = opened(game)
    days = float(trace.header.get("days", game.market.days))
    run = Run(
        trace,
        Plan(
            game.upstream.flags,
            days,
            game.upstream.requests,
            game.upstream.per_minute,
            game.market.seed,
            game.switches,
            game.breaks,
        ),
        game.command,
        folder,
    )
    run.play()
    scored = game.scored or window(days)
    figures = score(trace, run.claims, run.counts, run.upstream.flags, scored, game.away)
    if figures["ended"] or figures["violations"]:
        figures["log"] = run.log.read_text(errors="replace")[-2000:]
    return figures


def opened(game: Game) -> Trace:
    """The game's trace."""
    if game.trace is None:
        return model.made(game.market, game.cache)
    with game.trace.open("rb") as file:
        return parse(file)
