"""Bodies that are packed: every member of RFC 1952 is unpacked, and nothing but zeros follows."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import pytest
from tests.support.bareserver import client, search, serving

from m26.upstream.transfer import MAX_BODY_BYTES
from m26.upstream.verdicts import BrokenTransferError

pytestmark = pytest.mark.anyio

PAGE = json.dumps(list(range(20_000))).encode()


async def unpacked(packed: bytes, *, pieces: int = 1) -> bytes:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(packed))
        step = -(-len(packed) // pieces)
        for start in range(0, len(packed), step):
            writer.write(packed[start : start + step])
            await asyncio.sleep(0.001 if pieces > 1 else 0)

    async with serving(drip) as server, client(server.url) as gateway:
        return (await search(gateway)).body


async def broken(packed: bytes) -> str:
    with pytest.raises(BrokenTransferError) as caught:
        await unpacked(packed)
    return caught.value.reason


async def test_gzip_is_unpacked_whole() -> None:
    body = b'{"a":"' + b"x" * 300_000 + b'"}'
    assert await unpacked(gzip.compress(body)) == body


MEMBERS = [gzip.compress(PAGE[:7]), gzip.compress(b""), gzip.compress(PAGE[7:])]
MANY = [gzip.compress(PAGE[n : n + 90], 1) for n in range(0, len(PAGE), 90)]


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"".join(MEMBERS), id="several members"),
        pytest.param(gzip.compress(PAGE) + b"\0", id="one zero"),
        pytest.param(gzip.compress(PAGE) + bytes(100_000), id="zeros"),
        pytest.param(b"".join(MEMBERS) + bytes(512), id="both"),
        pytest.param(bytes(3).join(MEMBERS), id="zeros between"),
        pytest.param(b"".join(MANY), id="many"),
    ],
)
@pytest.mark.parametrize("pieces", [1, 97])
async def test_all_members_are_unpacked_and_zeros_may_follow(packed: bytes, pieces: int) -> None:
    assert await unpacked(packed, pieces=pieces) == PAGE


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
async def test_half_a_gzip_body_with_200_is_no_reply(keep: float) -> None:
    packed = gzip.compress(PAGE)
    assert await broken(packed[: int(len(packed) * keep)]) == "cut"


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(b"more", id="text"),
        pytest.param(b"\0\0more", id="text behind zeros"),
        pytest.param(MEMBERS[2][:-1], id="most of a member"),
        pytest.param(MEMBERS[2][:5], id="half a head"),
        pytest.param(MEMBERS[2][:-8] + bytes(8), id="a wrong checksum"),
        pytest.param(b"\x1f", id="a byte"),
    ],
)
async def test_what_is_no_member_behind_one_is_damage(behind: bytes) -> None:
    assert await broken(gzip.compress(b"{}") + behind) == "cut"


async def test_a_damaged_gzip_body_is_no_reply() -> None:
    packed = bytearray(gzip.compress(b"x" * 1000))
    packed[-6] ^= 1  # its checksum
    for damaged in (bytes(packed), b"{}", bytes(20), b"\0" + bytes(packed)):
        assert await broken(damaged) == "cut"


async def test_a_gzip_bomb_is_given_up_at_the_cap() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * 2**20) for _ in range(200)) + packer.flush()
    assert len(bomb) < 2**20
    assert await broken(bomb) == "too_large"
    one = gzip.compress(bytes(2**20))
    assert await broken(one * 17) == "too_large"


async def test_a_body_of_just_the_cap_is_read() -> None:
    half = gzip.compress(b" " * (MAX_BODY_BYTES // 2), 1)
    assert len(await unpacked(half * 2)) == MAX_BODY_BYTES
