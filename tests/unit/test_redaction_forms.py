"""Forms in which a registered secret may stand in a text, and texts that are hard to search."""

from __future__ import annotations

import base64
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest

from m26 import redaction
from m26.redaction import MASK, clean, redact, register_secret

SECRET = 'CANARY/SECRET+of="24"=\\é$'
JWT = "eyJhbGciOiJDQU5BUlkifQ.eyJzdWIiOiJDQU5BUlkifQ.CANARYsignature"
KIB = 1024


@pytest.fixture(autouse=True)
def _know_one() -> Iterator[None]:
    redaction._known.clear()
    register_secret(SECRET)
    yield
    redaction._known.clear()


def lower(text: str) -> str:
    """Percent-encoded, its hexadecimal digits in lower case."""
    return quote(text, safe="CANRYESTof").replace("%2F", "%2f").replace("%3D", "%3d")


@pytest.mark.parametrize(
    "form",
    [
        str,
        quote,
        lower,
        quote_plus,
        lambda text: quote(text, safe=""),
        lambda text: quote(quote(text, safe=""), safe=""),
        lambda text: quote(text, safe="").replace("%2B", "+"),
        lambda text: text.replace("+", " "),
        lambda text: quote(text, safe="").replace("%2B", "%20"),
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
        lambda text: json.dumps(json.dumps(text))[3:-3],
        lambda text: json.dumps(text)[1:-1].replace("/", "\\u002F"),
    ],
)
def test_a_registered_secret_is_masked_in_each_of_its_forms(form: Callable[[str], str]) -> None:
    shown = redact(f"<{form(SECRET)}> and <{form(SECRET)}>")
    assert shown.replace("\\", "") == f"<{MASK}> and <{MASK}>"


@pytest.mark.parametrize("before", ["", "u:", "me:", "you:", "someuser:"])
@pytest.mark.parametrize("after", ["", ".", "..", "...more"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("around", ["{}", "Basic {}", "x{}", "xy/{}", "xyz{}"])
def test_in_base64_it_is_masked_wherever_its_bytes_begin(
    before: str, after: str, encode: Callable[[bytes], bytes], around: str
) -> None:
    code = encode(f"{before}{SECRET}{after}".encode()).decode()
    shown = redact(around.format(code))
    assert MASK in shown
    left = shown.replace(MASK, "")
    for at in range(len(code) - 7):
        inside = base64.b64decode(code[at : at + 8].translate(str.maketrans("-_", "+/")))
        if inside.decode("latin-1") in SECRET.encode().decode("latin-1"):
            assert code[at : at + 8] not in left


@pytest.mark.parametrize("form", [str, lambda text: quote(text, safe=""), json.dumps])
def test_where_a_text_was_cut_the_rest_of_a_secret_is_masked(form: Callable[[str], str]) -> None:
    register_secret("CANARY-0123456789-0123456789")
    whole = f"a {form('CANARY-0123456789-0123456789')} b"
    at = whole.index("CANARY")
    for left in range(12, 28):
        assert redact(whole[: at + left]).startswith(f"{whole[:at]}{MASK}")
        assert "01234" not in redact(whole[: at + left])
        assert redact(whole[at + 28 - left :]).startswith(MASK)
    assert redact("a CANARY-01234") == f"a {MASK}"
    assert redact("a CANARY-0123") == "a CANARY-0123"  # an ordinary word may begin like one
    assert redact("a CANARY-01234 b") == "a CANARY-01234 b"


def test_a_secret_longer_than_what_is_compared_is_masked_as_a_whole() -> None:
    secret = "".join(random.Random(7).choices("CANRY0123456789-_", k=16_384))
    register_secret(secret)
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    for text in (secret, quote(secret), encoded):
        assert set(redact(f"<{text}>")) == set("<***>")
    assert set(redact(secret[: 5 * KIB])) == {"*"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host=h password='CANARY and no end", f"host=h password={MASK}"),
        ('{"access_token":"CANARY', f'{{"access_token":{MASK}'),
        ('{"access_token":"CAN\\"ARY","n":1}', f'{{"access_token":{MASK},"n":1}}'),
        ('{\\"access_token\\":\\"CANARY\\",\\"n\\":1}', f'{{\\"access_token\\":{MASK},\\"n\\":1}}'),
        ("{'session_key': b'CANARY', 'n': 1}", f"{{'session_key': b{MASK}, 'n': 1}}"),
        ("client-secret-text=CANARY&x=1", f"client-secret-text={MASK}&x=1"),
        (f"xeyJ.eyJ1.{JWT}", f"xeyJ.eyJ1.{MASK}"),
        ("https://a/?to=redis://u:CANARY@h", f"https://{MASK}@h"),
        ("https://h/ redis://u@x:CANARY@h", f"https://h/ redis://{MASK}@h"),
    ],
)
def test_forms_of_secrets_that_are_nested_or_cut_are_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


SHAPES = {
    "a key without an end": ('"', "token"),
    "words": ("", "token"),
    "words of two parts": ("", "session_"),
    "assignments": ("", "token="),
    "quotes that do not end": ("token=\"x token='", "token="),
    "beginnings of a JWT": ("", "eyJ"),
    "first parts of a JWT": ("", "eyJaaaaaaaa."),
    "the first part of many JWTs": ("", "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJDQU5B"),
    "beginnings of a URL": ("", "://"),
    "users": ("://", "a:@"),
    "users that do not end": ("", "://a:"),
    "users without a password": ("", "://@"),
    "quotes": ("", '"'),
    "backslashes": ("", "\\"),
    "escaped quotes": ('"token":"', "\\'"),
    "keys": ("", '"token" '),
    "blanks": ('"token"', " "),
    "percents": ("", "%25"),
    "escapes": ("", "\\u0041"),
    "base64": ("", "QUJD"),
    "base64 of the beginning of a secret": ("", base64.b64encode(b"eyJhbG").decode()),
    "a secret but its end": ("", "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.0"),
    "the only letter of a secret": ("", "a"),
    "other letters": ("", "\u00e9x"),
}


@pytest.fixture(scope="module")
def many() -> list[str]:
    """Months of secrets of all lengths, half of which begin alike, one of which is one letter."""
    drawn, head = random.Random(4), "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."
    lengths = [drawn.randrange(20, 1_200) for _ in range(200)]
    tails = ["".join(drawn.choices("CANARY0123456789+/", k=length)) for length in lengths]
    return ["a" * 4_096 + "b", *(f"{head * (n % 2)}{tail}" for n, tail in enumerate(tails))]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_time_that_redaction_takes_grows_with_the_text_alone(
    shape: str, many: list[str]
) -> None:
    for secret in many:
        register_secret(secret, rotates=True)
    before, repeated = SHAPES[shape]
    text = before + repeated * (64 * KIB // len(repeated))
    # Four times the text takes four times as long; were it quadratic, it would be sixteen times.
    assert _seconds(text) < 9 * _seconds(text[: 16 * KIB])


def _seconds(text: str) -> float:
    """CPU time of one redaction, the median of some; one that takes a second is not repeated."""
    taken: list[float] = []
    while len(taken) < 3 and sum(taken) < 1:
        began = time.thread_time()
        redact(text)
        taken.append(time.thread_time() - began)
    assert taken[0] < 1, "64 KiB take over a second of CPU time"
    return statistics.median(taken)


def test_a_value_that_is_too_long_too_deep_or_too_large_is_cut_for_a_log_line() -> None:
    shown = str(clean("x" * 1_000_000))
    assert shown.startswith("x" * 65_536 + "… (1000000 characters)")
    deep: object = SECRET
    for _ in range(2_000):
        deep = [deep]
    assert "…" in str(clean(deep))
    assert str(clean(10**10_000)).startswith("0x")
