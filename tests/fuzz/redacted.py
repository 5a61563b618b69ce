"""Redaction: any text around a secret in any of its forms in, what is left of it out."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from tests.fuzz.mutate import in_tree

from m26.redaction import MASK, clean, redact, register_secret

SECRETS = ("CANARY-FUZZ/+=0aZ", "eyJDQU5BUlk-FUZZ+0123456789", "e9 CANARY/FUZZ~$!")
_SECONDS = 2.0
"""Of CPU time for 512 KiB; usually it is a tenth."""
_CUT = 12

_FORMS: tuple[Callable[[str], str], ...] = (
    str,
    quote,
    quote_plus,
    lambda text: quote(quote(text, safe="")),
    lambda text: quote(text, safe="").replace("%2F", "%2f"),
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    lambda text: text.replace("+", " "),
)
_WORDS = r"""
    token= "token": 'password': \"ticket\": eyJ eyJhbGciOiJ . :// @ : % %2 %25 %2F \ \\ \" \u \u00
    \u0041 /Process/ Bearer session_key auth-code= " ' + - _ = & ; , é CANARY CANARY-FUZZ/ Q0FOQVJZ
"""
_TOKENS = [*_WORDS.split(), " ", "\n"]


def run(data: bytes) -> object:
    """Nothing is left of a secret in a text, all else is, and it takes no longer than it should."""
    for secret in SECRETS:
        register_secret(secret)
    form, place, text = data[:1], data[1:3], data[3:].decode("utf-8", "replace")
    secret = SECRETS[sum(form) % len(SECRETS)]
    at = int.from_bytes(place, "little") % (len(text) + 1)
    before, after = text[:at], text[at:]
    found = [_alone(text), _alone(f"{before}{secret}{after}", gone=secret)]
    chosen = _FORMS[sum(form) // len(SECRETS) % len(_FORMS)](secret)
    found.append(_alone(f"{before} {chosen} {after}", gone=chosen))
    inside = f"{before[-7:]}{secret}{after[:7]}".encode()
    start = len(before[-7:].encode())
    code = base64.b64encode(inside).decode()
    middle = code[-(-start // 3) * 4 : (start + len(secret)) // 3 * 4]
    found.append(_alone(f"{before} {code} {after}", gone=middle))
    length = _CUT + sum(place) % (len(secret) - _CUT)
    assert redact(before + " " + secret[:length]).endswith(MASK)
    assert redact(secret[-length:] + " " + after).startswith(MASK)
    clean({text[:40]: [text]})
    return tuple(found)


def _alone(text: str, *, gone: str = "") -> tuple[int, ...]:
    began = time.thread_time()
    shown = redact(text)
    assert time.thread_time() - began < _SECONDS, "redaction takes long"
    assert not gone or gone not in shown, "a secret is left"
    at = 0
    parts = shown.split(MASK) if "*" not in text else []
    for part in parts:  # what is left stands in the text, in this order
        at = text.index(part, at) + len(part)
    return min(len(parts), 5), len(text).bit_length()


def seeds() -> list[bytes]:
    """Texts of each form that is masked, and beginnings of them."""
    texts = [*_TOKENS, *(f"{one}{two}" for one in _TOKENS[:8] for two in _TOKENS)]
    texts += [
        json.dumps({"access_token": "x", "n": 1}),
        "postgresql://u:p@h/d?password=x",
        *SECRETS,
    ]
    return [bytes([n % 256, n % 7, 0]) + text.encode() for n, text in enumerate(texts)]


def changed(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """One of its forms more, somewhere, or again and again."""
    if rng.random() < 0.2:
        return in_tree(rng, data, other)
    at = rng.randrange(3, len(data) + 1) if len(data) > 3 else len(data)
    token = "".join(rng.choices(_TOKENS, k=rng.choice((1, 1, 2, 3)))).encode()
    token *= rng.choice((1, 1, 1, 2, 1_000 if rng.random() < 0.02 else 3))
    head = bytes((rng.randrange(256), rng.randrange(256), rng.randrange(2))) if at > 3 else data[:3]
    return head + data[3:at] + token + data[at:]
