"""``m26 plan``: the planner's door."""

from __future__ import annotations

from m26.cli.options import Options


def serve(*, options: Options = Options()) -> int:
    """The planner and the outcome rules behind JSON lines on stdin and stdout, in virtual time.

    Whoever holds a market asks with ``hello``; then the planner asks and is answered, one question
    at a time, until ``end`` or ``restart``. What it needs is kept in the home's ``plan-serve``.

    Example: ``python -m benches.market play --variant default -- m26 plan serve``
    """
    from m26.collect.serve import serve as serve_plan

    return serve_plan(options.load().settings.home / "plan-serve")
