"""What every stage reports to: how it is, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from m26.status.conditions import Status
from m26.status.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Conditions and figures of one process."""

    status: Status = field(default_factory=Status)
    metrics: Metrics = field(default_factory=Metrics)
