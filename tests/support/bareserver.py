"""A bare HTTP server that does on the wire what a test says, and the client that asks it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.replies import Reply
from m26.upstream.secret import Secret
from m26.upstream.signing import MessageAuth

SIM = Profile.load("sim")
KEY = Secret("CANARY/SESSION+1=$*")

Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A bare HTTP server that does on the wire what a test says, byte for byte."""

    behave: Behave
    url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = next(
                    int(line.split(":")[1])
                    for line in head.lower().splitlines()
                    if line.startswith("content-length")
                )
                self.bodies.append(await reader.readexactly(length))
                await self.behave(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(behave: Behave, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    served = Server(behave)
    server = await asyncio.start_server(served.handle, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        served.url = f"http{'s' if context else ''}://127.0.0.1:{port}"
        yield served


def self_signed(folder: Path) -> ssl.SSLContext:
    """TLS of somebody who intercepts: a certificate that no authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def answering(
    body: bytes, *headers: str, status: str = "200 OK", length: int | None = None
) -> Behave:
    async def behave(writer: asyncio.StreamWriter) -> None:
        size = len(body) if length is None else length
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        if size != len(body):
            await writer.drain()
            writer.close()

    return behave


def client(url: str, *, deadline: float = 5, profile: Profile = SIM) -> GatewayClient:
    return GatewayClient(
        profile=profile, platform="sim", oauth_url=url, base_url=url, deadline=deadline
    )


async def search(gateway: GatewayClient) -> Reply:
    return await gateway.process(
        session_key=KEY,
        command=SIM.commands["search"],
        payload="{}",
        signature=MessageAuth("CANARY-CODE", "CANARY-DATA", 17039361),
        device_id=Secret("CANARY-DEVICE"),
        server_time=1_790_000_000,
        params={"offset": "0", "count": "99"},
    )
