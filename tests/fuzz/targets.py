"""What is fuzzed: one input in, the kind of its outcome out, or an error that nobody may see."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import zstandard
from tests.fuzz import forms, outgoing, redacted, rows, seeds
from tests.fuzz.mutate import Change, in_tree
from tests.fuzz.reader import (
    DATA,
    RefusedError,
    listed,
    parsed,
    repaired,
    says_no,
    says_nothing,
)
from tests.fuzz.spelled import Spelled, values

from m26._native import Peek, peek
from m26.auth.intake import read_credentials
from m26.captures.flow import MAX_FLOW_BYTES
from m26.captures.har import is_har
from m26.captures.mitm import is_flow_file
from m26.errors import ShapeError, UsageError
from m26.journal.segment import Entry, load
from m26.offline import read_captures
from m26.upstream.answers import LoginAnswer, TokenAnswer, read_login, read_tokens
from m26.upstream.replies import Action, Reply, classify
from m26.upstream.rules import RULES

_STATUSES = (200, 200, 200, 200, 201, 302, 400, 401, 403, 404, 426, 429, 458, 480, 500, 503, 512)
_TYPES = ("application/json", "text/html", "application/xml", "")
_WAITS = (None, 0.0, 5.0, 1e9, -1.0)
_FETCHED = 1_790_000_000_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to fuzz."""

    run: Callable[[bytes], object]
    """Raises AssertionError, or anything else that it must not, on a bug; what it returns tells
    kinds of outcomes apart."""
    seeds: Callable[[], Sequence[bytes]]
    change: Change = in_tree


def _reply(data: bytes) -> Reply:
    """An input of `classify`: three bytes that choose, then the body."""
    status, kind, wait = (*data[:3], 0, 0, 0)[:3]
    return Reply(
        status=_STATUSES[status % len(_STATUSES)],
        content_type=_TYPES[kind % len(_TYPES)],
        body=data[3:],
        fetched_at=_FETCHED,
        seconds=0.1,
        retry_after=_WAITS[wait % len(_WAITS)],
    )


def _classify(data: bytes) -> object:
    reply = _reply(data)
    seen = peek(reply.body)
    reasons = []
    for call in ("command", "login", "token"):
        verdict = classify(reply.head, seen, call=call)
        assert verdict.action is Action.OK or verdict.reason in RULES
        assert verdict.action is not Action.OK or _is_market(reply, seen)
        reasons.append(verdict.reason)
    tokens, login = read_tokens(reply), read_login(reply)
    if isinstance(tokens, TokenAnswer):
        assert reply.status == 200
        assert tokens.access_token
        assert tokens.refresh_token is None or tokens.refresh_token
        assert tokens.expires_in > 0
    if isinstance(login, LoginAnswer):
        assert reply.status == 200
        assert login.session_key
    for answer in (tokens, login):
        verdict = getattr(answer, "reason", None)
        assert verdict is None or (verdict in RULES and answer.action is not Action.OK)
    return (*reasons, seen.kind, type(tokens).__name__, type(login).__name__)


def _is_market(reply: Reply, seen: Peek) -> bool:
    """Whether a reply may be stored as data: by what was read of it, and read once more here."""
    assert reply.status == 200
    assert seen.kind == "search"
    assert seen.captcha is None
    assert seen.error_name is None
    assert seen.success is not False
    assert seen.count or not seen.ui_error_code
    try:
        tree = parsed(repaired(reply.body))
        details = listed(tree)
    except (RefusedError, RecursionError):
        return True  # damage inside one auction, or deeper than Python follows
    assert not any(isinstance(error, Spelled) for error in tree.each("error"))
    for path in ((), DATA[:2]):
        assert not any(map(says_no, tree.each(*path, "success")))
    assert details is not None
    assert len(details) == seen.count
    for data in tree.each(*DATA):
        for name, fact in data.members if isinstance(data, Spelled) else ():
            assert not name.startswith("captcha") or says_nothing(values(fact)), name
            assert name != "uiErrorCode" or details or says_nothing(values(fact))
    return True


def _capture(data: bytes) -> object:
    """Both faces of a capture: they refuse in words of their own, and never quote it."""
    said: list[str] = []
    found, pages = None, 0
    with tempfile.NamedTemporaryFile(dir=outgoing.memory()) as file:
        file.write(data)
        file.flush()
        path = Path(file.name)
        try:
            found = read_credentials(path)
            said += found.problems
        except UsageError as error:
            said.append(error.message + error.hint)
        try:
            for _ in read_captures(path, on_problem=said.append):
                pages += 1
        except (ShapeError, UsageError) as error:
            said.append(error.message + error.hint)
    told = [text.replace(str(path), "") for text in said]
    assert not any("CANARY" in text for text in told), told
    assert "CANARY" not in repr(found)
    if found is not None and is_har(data):
        _counted(data, found.requests)
    parts = () if found is None else (found.tokens, found.ticket, found.client_id, found.device_id)
    kinds = sorted({" ".join(text.translate(_NO_DIGITS).split()[:6]) for text in told})
    return kinds, [part is not None for part in parts], min(pages, 3), len(told) > 1


_NO_DIGITS = str.maketrans("", "", "0123456789")


def _counted(data: bytes, requests: int) -> None:
    """A document that Python reads has as many entries for us as for Python."""
    try:
        document = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
        entries = document["log"]["entries"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    if isinstance(entries, list) and len(data) < MAX_FLOW_BYTES:
        assert requests == sum(isinstance(entry, dict) for entry in entries)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands there twice")
    return dict(pairs)


def _flows(data: bytes) -> object:
    return is_flow_file(data), _capture(data)


def _record(data: bytes) -> object:
    """A record of the journal with any header: whole with fields of their types, or told."""
    payload = zstandard.compress(len(data).to_bytes(4, "little") + data + b"body")
    with tempfile.TemporaryFile(dir=outgoing.memory()) as file:
        file.write(payload)
        file.flush()
        entry = Entry(0, 0, len(payload), crc32(payload))
        record = load(file.fileno(), entry)
    if record.page is None:
        assert "CANARY" not in record.detail
        return record.detail.translate(_NO_DIGITS)[:60]
    assert type(record.page.fetched_at) is type(record.page.status) is int
    assert record.page.body == b"body"
    record.page.platform.encode()
    return len(record.page.query).bit_length(), record.page.status.bit_length()


TARGETS = {
    "answers": Target(outgoing.answer, seeds.answers),
    "classify": Target(_classify, lambda: [b"\0\0\0" + body for body in seeds.replies()]),
    "forms": Target(forms.run, forms.seeds, forms.changed),
    "har": Target(_capture, seeds.hars),
    "mitm": Target(_flows, seeds.flows),
    "record": Target(_record, seeds.records),
    "toml": Target(outgoing.profile, seeds.tomls),
    "redact": Target(redacted.run, redacted.seeds, redacted.changed),
    "rows": Target(rows.run, seeds.pages, rows.changed),
}
