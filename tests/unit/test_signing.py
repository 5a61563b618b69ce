from __future__ import annotations

import base64
import hashlib

import orjson
import pytest

from m26.errors import ConfigError
from m26.upstream.profile import Profile, Signing
from m26.upstream.signing import can_sign, sign

SIGNING = Signing(
    static_data="CANARY-S-0001",
    key="43414e4152592d4b2d30303031",  # "CANARY-K-0001"
    code_secret="43414e4152592d432d30303031",  # "CANARY-C-0001"
)


def test_a_vector_made_by_another_program_is_met() -> None:
    # perl -MDigest::MD5=md5 -MMIME::Base64 -e '$n = pack "C4", 0..3;
    #   $s = md5($n."CANARY-K-0001") x 9;
    #   $p = q({"staticData":"CANARY-S-0001","requestId":42,"blazeId":1000000777});
    #   $d = $n.($p ^ substr $s, 0, length $p);
    #   print encode_base64($d), encode_base64(md5("CANARY-C-0001".$d))'
    made = sign(SIGNING, request_id=42, blaze_id=1_000_000_777, nonce=bytes([0, 1, 2, 3]))
    assert made.data == (
        "AAECAwCB9UobfKQDC3LK18gHmCE67cdsIyWeTX8jjofIEZgQHtLzWwl8hARt"
        "KYqExh/YDhrZ43ceKvdRfyOOhtoNjVVM3g=="
    )
    assert made.code == "E5gatwFfhdm49m8BbIbJ8Q=="
    assert made.type == 17039361


def test_who_knows_the_constants_can_open_and_verify_what_was_signed() -> None:
    made = sign(SIGNING, request_id=7, blaze_id=99)
    data = base64.b64decode(made.data)
    stream = hashlib.md5(data[:4] + b"CANARY-K-0001").digest() * 20
    opened = bytes(a ^ b for a, b in zip(data[4:], stream, strict=False))
    assert opened == b'{"staticData":"CANARY-S-0001","requestId":7,"blazeId":99}'
    assert orjson.loads(opened)["requestId"] == 7
    assert base64.b64decode(made.code) == hashlib.md5(b"CANARY-C-0001" + data).digest()


def test_every_signature_has_a_nonce_of_its_own() -> None:
    assert len({sign(SIGNING, request_id=1, blaze_id=1).data for _ in range(50)}) == 50


def test_a_signature_shows_nothing_of_itself() -> None:
    made = sign(SIGNING, request_id=1, blaze_id=1)
    assert made.data not in repr(made)
    assert made.code not in repr(made)


def test_all_three_constants_are_needed() -> None:
    assert can_sign(SIGNING)
    assert can_sign(Profile.load("sim").signing)
    assert not can_sign(Profile.load("madden26").signing)
    assert not can_sign(Signing(static_data="CANARY-S", key="00"))


def test_a_constant_that_is_not_hex_is_named_and_not_shown() -> None:
    wrong = Signing(static_data="CANARY-S", key="CANARY-nothex", code_secret="00")
    with pytest.raises(ConfigError, match=r"signing\.key") as caught:
        sign(wrong, request_id=1, blaze_id=1)
    assert "nothex" not in str(caught.value)
