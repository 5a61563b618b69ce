"""``python -m benches.market``: write a trace, or play planners in markets and print figures."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import orjson
from benches.market import model, naive, trace
from benches.market.dialogue import BREAKS, Break
from benches.market.play import Game, played
from benches.market.table import line
from benches.market.variants import VARIANTS, with_flag


def main(arguments: list[str]) -> int:
    """Exit code: 1 where a run did not come to its end or a rule was broken."""
    options = _parser().parse_args(arguments)
    if options.job == "trace":
        made = model.made(_market(options, options.seed), options.cache)
        with options.out.open("wb") if options.out else sys.stdout.buffer as file:
            file.writelines(trace.lines(made))
        return 0
    if options.job == "naive":
        naive.serve(options.kind, sys.stdin, sys.stdout, batch=options.batch)
        return 0
    return _play(options)


def _play(options: argparse.Namespace) -> int:
    names = options.variant or ["default"]
    names = list(VARIANTS) if "all" in names else names
    seeds = range(options.seed, options.seed + options.seeds)
    games = [_game(options, name, seed) for name, seed in product(names, seeds)]
    failed = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        for game, figures in zip(games, pool.map(played, games), strict=True):
            failed |= bool(figures["violations"] or figures["ended"])
            if options.json:
                shown: Any = {"variant": game.variant, "seed": game.market.seed} | figures
                print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode(), flush=True)
            else:
                print(line(game.label, figures), flush=True)
    return failed


def _game(options: argparse.Namespace, name: str, seed: int) -> Game:
    variant = VARIANTS[name]
    flags = variant.flags
    for flag, _, value in (text.partition("=") for text in options.flag):
        flags = with_flag(flags, flag, value)
    variant = replace(
        variant,
        flags=flags,
        per_day=options.per_day or variant.per_day,
        requests=options.requests or variant.requests,
        per_minute=options.per_minute or variant.per_minute,
    )
    return Game(
        variant=name,
        command=tuple(options.command),
        upstream=variant,
        market=replace(_market(options, seed), per_day=variant.per_day),
        trace=options.trace,
        cache=options.cache,
        switches=tuple(options.switch),
        breaks=tuple(options.breaks),
        scored=options.score,
        keep=options.keep,
    )


def _market(options: argparse.Namespace, seed: int) -> model.Market:
    return model.Market(
        seed=seed,
        per_day=options.per_day or 100_000,
        days=options.days,
        mix=options.mix,
        late_bids=options.late_bids,
        buyout_speed=options.buyout_speed,
        withdrawals=options.withdrawals,
    )


def _factor(text: str) -> float:
    return float(text.removeprefix("x"))


def _days(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    return float(low), float(high)


def _switch(text: str) -> tuple[float, str, str]:
    hours, _, rest = text.partition(":")
    name, _, value = rest.partition("=")
    return float(hours), name, value


def _break(text: str) -> Break:
    hours, kind, away = (*text.split(":"), "0", "0")[:3]
    if kind not in BREAKS:
        raise ValueError(f"no break {kind}: there are {', '.join(BREAKS)}")
    return Break(float(hours), kind, float(away))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benches.market", description=__doc__)
    jobs = parser.add_subparsers(dest="job", required=True)
    made = argparse.ArgumentParser(add_help=False)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--days", type=float, default=3.1)
    made.add_argument("--per-day", type=int, help="listings (default: the variant's)")
    made.add_argument("--mix", choices=model.MIXES, default="default")
    made.add_argument("--late-bids", type=_factor, default=1.0, metavar="xN")
    made.add_argument("--buyout-speed", type=_factor, default=1.0, metavar="xN")
    made.add_argument("--withdrawals", type=_factor, default=1.0, metavar="xN")
    made.add_argument("--cache", type=Path, help="folder of made traces")
    out = jobs.add_parser("trace", parents=[made], help="write a trace as NDJSON")
    out.add_argument("--out", type=Path, help="file (default: standard output)")
    play = jobs.add_parser("play", parents=[made], help="play a planner, print its figures")
    play.add_argument("--variant", action="append", choices=[*VARIANTS, "all"])
    play.add_argument("--flag", action="append", default=[], metavar="NAME=VALUE")
    play.add_argument("--requests", type=int, help="a day (default: the variant's)")
    play.add_argument("--per-minute", type=int)
    play.add_argument("--trace", type=Path, help="play this NDJSON trace")
    play.add_argument("--seeds", type=int, default=1, help="so many, from --seed on")
    play.add_argument("--jobs", type=int, default=1, help="runs at once")
    play.add_argument("--json", action="store_true", help="every figure")
    play.add_argument(
        "--score", type=_days, metavar="FROM:TO", help="days that are scored (default: 1:2)"
    )
    play.add_argument("--keep", type=Path, help="folder for homes and logs (default: dropped)")
    play.add_argument(
        "--switch", type=_switch, action="append", default=[], metavar="HOURS:FLAG=VALUE"
    )
    play.add_argument(
        "--break",
        dest="breaks",
        type=_break,
        action="append",
        default=[],
        metavar="HOURS:KIND[:AWAY]",
        help=f"end the planner ({', '.join(BREAKS)}), start it AWAY hours later",
    )
    play.add_argument("command", nargs="+", metavar="-- COMMAND")
    simple = jobs.add_parser("naive", help="be a simple planner")
    simple.add_argument("kind", choices=naive.PLANNERS)
    simple.add_argument("--batch", type=int, default=50)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
