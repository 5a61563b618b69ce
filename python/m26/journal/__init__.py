"""The journal: pages in, durable when `append` returns; records out in order, none unreported."""

from m26.journal.damage import Damage, Ledger
from m26.journal.journal import Journal
from m26.journal.segment import Identity, is_segment, read_segment, segment_paths
from m26.journal.trail import Trail

__all__ = [
    "Damage",
    "Identity",
    "Journal",
    "Ledger",
    "Trail",
    "is_segment",
    "read_segment",
    "segment_paths",
]
