"""Changes of state, told at once: conditions in; a log line and the state's metric out."""

from __future__ import annotations

import structlog

from m26.clock import iso
from m26.status.conditions import Condition, State, Status
from m26.status.metrics import Metrics


def announce(status: Status, metrics: Metrics) -> None:
    """From now on log each change of state, and keep ``m26_state`` at 1 for the current one."""
    log = structlog.get_logger()
    said: tuple[State, str] | None = None

    def tell(condition: Condition) -> None:
        nonlocal said
        for state in State:
            metrics.state.labels(state.value).set(state is condition.state)
        if (condition.state, condition.reason) == said:  # only its `until` moved: a next attempt
            return
        said = (condition.state, condition.reason)
        calm = condition.state in (State.STARTING, State.DRAINING) or not condition.reason
        write = log.info if calm else log.warning
        until = None if condition.until is None else iso(condition.until)
        more = {"reason": condition.reason, "advice": condition.advice, "until": until}
        write(
            "state.changed",
            state=condition.state.value,
            source=condition.source,
            **{key: value for key, value in more.items() if value},
        )

    status.on_change(tell)
