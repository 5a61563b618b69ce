"""Forms of a token call in HAR files: bytes of one in, what credentials are read of it out."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus

from tests.fuzz import outgoing
from tests.support.captures import har, token_entry

from m26.auth.extract import read_credentials

_FORM = "application/x-www-form-urlencoded"
_TOKENS = (
    "&", "=", "%", "%4", "%41", "%00", "%0a", "%ff", "+", ";", "\x00", "client_id", "client_id=",
    "client_secret=", "refresh_token=", "client%5fid=", "CANARY-7", "\N{SNOWMAN}", "[]", "a=b&",
)  # fmt: skip
_MOST, _FIELDS = 64 * 1024, 100
_PARTS = 190_000
"""Fields of a list of which an entry may have too many brackets to be read."""


def run(data: bytes) -> object:
    """A form, as a body or as a list of fields, is read as a plain reader does, or told."""
    as_list, text = bool(data[:1] < b"\x80"), data[1:].decode("utf-8", "replace")
    pairs = [part.partition("=")[::2] for part in text.split("&")]
    made: dict[str, Any] = token_entry()
    fields = [{"name": name, "value": value} for name, value in pairs]
    made["request"]["postData"] = {"mimeType": _FORM, "params": fields} if as_list else {
        "mimeType": _FORM, "text": text,
    }  # fmt: skip
    with tempfile.NamedTemporaryFile(dir=outgoing.memory()) as file:
        file.write(har([made]))
        file.flush()
        found = read_credentials(Path(file.name))
    decode = unquote if as_list else unquote_plus
    size = len("".join(map("".join, pairs)) if as_list else text.encode())
    is_read = size <= _MOST and len(pairs) <= _FIELDS
    wanted = {decode(name): decode(value) for name, value in pairs if value or as_list}
    wanted = wanted if is_read else {}
    if as_list and len(pairs) > _PARTS and found.tokens is None:
        assert any("was passed over" in problem for problem in found.problems)
        return as_list, "passed over"
    assert found.tokens is not None
    assert bool(found.problems) != is_read, found.problems
    assert not any("CANARY" in problem for problem in found.problems)
    for name, secret in (("client_id", found.client_id), ("client_secret", found.client_secret)):
        value = wanted.get(name, "")
        could_be_sent = 0 < len(value) <= 16 * 1024 and value.isascii() and value.isprintable()
        assert (secret.reveal() if secret else "") == (value if could_be_sent else ""), name
    return as_list, is_read, sorted(wanted)[:3]


def seeds() -> Sequence[bytes]:
    """A login's form in both spellings, and forms at their limits."""
    form = b"grant_type=authorization_code&client_id=CANARY-7&client_secret=CANARY-8&code=x%2By"
    many = b"&".join(b"k%d=v" % number for number in range(99))
    long = b"client_id=CANARY-7&x=" + b"y" * (_MOST - 21)
    return [kind + body for kind in (b"\x00", b"\xff") for body in (form, many, long, b"")]


def changed(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Some of its tokens more or some bytes less, anywhere, or half of another one."""
    head = bytes([rng.randrange(256)])
    at = rng.randrange(1, len(data) + 1) if data else 0
    if rng.random() < 0.1:
        return head + data[1:at] + other[rng.randrange(len(other) + 1) :]
    token = "".join(rng.choices(_TOKENS, k=rng.choice((1, 1, 2, 5)))).encode()
    if rng.random() < 0.02:
        token *= rng.choice((50, 5_000))
    return head + data[1:at] + token + data[at + rng.choice((0, 0, 0, 1, 7)) :]
