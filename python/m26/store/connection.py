"""Connections to PostgreSQL: a pool that survives restarts and poolers, and which errors pass."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import asyncpg

from m26.errors import ConfigError
from m26.protection import Protection, protection
from m26.store import cleartext

if TYPE_CHECKING:
    from asyncpg.pool import Pool, PoolConnectionProxy

T = TypeVar("T")

LIMIT = 30.0
"""Seconds after which the server ends a transaction of ours: every one of them locks others out."""
MOST = 6
"""Connections of a pool."""
_KEEPALIVE = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
"""So that the server notices within 25 s that the machine of a session is gone."""
_LONGEST_NAME = 63  # bytes of an application_name that PostgreSQL keeps

# Classes of SQLSTATE after which the same batch may succeed later, or on another connection.
_PASSING = ("08", "0A000", "25006", "25P03", "25P04", "40", "53", "55P03", "57", "58")
# An old server does not know a setting, a pooler does not pass it on.
_REFUSALS = (
    asyncpg.UndefinedObjectError,
    asyncpg.ProtocolViolationError,
    asyncpg.FeatureNotSupportedError,
)
# What a server without TLS, and a pooler that does not pass a parameter of the DSN on, say.
_NEVER = ("rejected SSL upgrade", "unsupported startup parameter")
# Somebody else's locks.
_BUSY = ("40P01", "55P03")
# Of the data: a row that PostgreSQL will never take.
_DATA = ("22", "23")

_NOTICE = 1.0
"""How long a call may take to notice by itself that its connection is lost."""

OUTAGES: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a backend that ended between two queries confuses the driver
    asyncpg.PostgresError,
)
"""What a database call may raise besides bugs."""


def is_passing(error: Exception) -> bool:
    """Whether trying again, later or on a new connection, may help."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_PASSING) or is_pooler(error)
    return isinstance(error, OUTAGES)


def is_misfit(error: Exception) -> bool:
    """Whether the server can never be connected to by this DSN, however long it is waited for."""
    if isinstance(error, ssl.SSLError):
        return not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)  # it went away
    return isinstance(error, cleartext.CleartextError) or any(t in str(error) for t in _NEVER)


def advice(error: Exception) -> str:
    """What to do about a server that cannot be connected to."""
    if isinstance(error, cleartext.CleartextError):
        return (
            "Write sslmode=verify-full into M26_POSTGRES__DSN, or let that server ask for "
            "scram-sha-256."
        )
    if "rejected SSL upgrade" in str(error):
        return (
            "That server speaks no TLS: switch it on there, or write sslmode=disable into "
            "M26_POSTGRES__DSN where nobody else is on the way to it."
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "Name the authority of its certificate in M26_POSTGRES__DSN, sslrootcert=/…/ca.pem. "
            "sslmode=require encrypts, to whoever answers."
        )
    return (
        "Check that the server runs and that M26_POSTGRES__DSN is right; "
        "unset it to use the embedded server."
    )


def is_busy(error: Exception) -> bool:
    """Whether another session's locks were in the way."""
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "").startswith(_BUSY)


def is_data(error: Exception) -> bool:
    """Whether some row of the batch can never be stored."""
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "").startswith(_DATA)


def is_pooler(error: Exception) -> bool:
    """Whether a transaction pooler (pgbouncer) loses our prepared statements."""
    return isinstance(
        error,
        asyncpg.InvalidSQLStatementNameError | asyncpg.DuplicatePreparedStatementError,
    )


def plain(error: Exception) -> str:
    """One line about a database error, without its parameters or DSN."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{error.sqlstate}: {str(error).splitlines()[0][:200]}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {str(error)[:200]}"


def session_name(home: Path, accounts: Sequence[str] = ()) -> str:
    """What the sessions of a home call themselves: `m26 HOME/ACCOUNTS@HOST`, in 63 bytes."""
    place, host = _plain_ascii(home.resolve().name), _plain_ascii(socket.gethostname())
    who = _plain_ascii(f"/{','.join(accounts)}" if accounts else "")
    whole = f"m26 {place}{who}@{host}"
    if len(whole) <= _LONGEST_NAME:
        return whole
    if len(accounts) > 1:
        who = f"/{len(accounts)} accounts"
    return f"m26 {place[:16]}{who[:20]}@{host[:22]}"


def _plain_ascii(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)


async def connect(
    dsn: str,
    *,
    name: str = "",
    statement_cache: bool = True,
    limit: float = LIMIT,
    most: int = MOST,
) -> Pool[Any]:
    """A small pool: by default for one writer, the publisher, and whoever reads.

    Args:
        dsn: the database.
        name: what its sessions call themselves, see `session_name`; empty: of no home.
        statement_cache: False behind a pooler that loses prepared statements.
        limit: seconds after which the server ends a transaction.
        most: connections.

    Raises:
        ConfigError: the DSN is malformed.
        OSError, asyncpg.PostgresError: the server does not answer.
    """
    try:
        pool = asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=most,
            command_timeout=60,
            timeout=10,
            statement_cache_size=100 if statement_cache else 0,
            max_inactive_connection_lifetime=60,
            reset=_nothing_to_reset,
            connect=partial(
                _session, _wishes(name or session_name(Path("-")), limit), protection(dsn)
            ),
        )
        return await pool
    except (ValueError, asyncpg.ClientConfigurationError) as error:
        if isinstance(error, OSError):  # a certificate that is not trusted is both
            raise
        raise ConfigError(
            f"M26_POSTGRES__DSN is not a usable PostgreSQL address: {error}",
            hint="It looks like postgresql://user@host:5432/database, "
            "or postgresql:///database?host=/socket/folder.",
        ) from None


def _wishes(name: str, limit: float) -> list[Mapping[str, str]]:
    """What a session asks of the server, the best first.

    As the session's own settings: a pooler that shares sessions must not lend ours to others. It
    refuses what it does not know, and gets what is left; each batch then sets its limits by itself.
    """
    named, most = {"application_name": name}, f"{limit * 1000:.0f}"
    older = {"idle_in_transaction_session_timeout": most, "statement_timeout": most}
    return [
        {**named, **_KEEPALIVE, "transaction_timeout": most},
        {**named, **_KEEPALIVE, **older},  # before PostgreSQL 17
        named,
        {},
    ]


async def _session(
    wishes: list[Mapping[str, str]],
    way: Protection,
    *args: Any,  # noqa: ANN401 - the pool's own, for `asyncpg.connect`
    **options: Any,  # noqa: ANN401
) -> asyncpg.Connection[Any]:
    """Connect with as many of the wishes as the server, or the pooler before it, grants."""
    made: asyncpg.Connection[Any]
    refused: Exception | None = None
    connect: Callable[..., Awaitable[asyncpg.Connection[Any]]] = asyncpg.connect
    if way in {"prefer", "disable"}:
        connect = partial(cleartext.connect, try_tls=way == "prefer")
    for settings in tuple(wishes):
        try:
            made = await connect(*args, server_settings=dict(settings), **options)
        except _REFUSALS as error:
            refused = error
        except KeyError as error:  # before Python 3.13: of a DSN without a user, who has no name
            raise OSError(f"the DSN names no user, and none is found here: {error}") from None
        else:
            wishes.remove(settings)
            wishes.insert(0, settings)  # what was granted is asked for first the next time
            return made
    assert refused is not None, "something was asked for"
    raise refused


async def _nothing_to_reset(_: object) -> None:
    """Sessions hold no state of ours: settings and stages end with their transaction."""


async def within(
    deadline: float, connection: PoolConnectionProxy[Any], work: Coroutine[Any, Any, T]
) -> T:
    """Run `work` on `connection`; at the deadline, or when cancelled, end the connection first.

    The driver's own timeout does not cover COPY, and a rollback on a frozen server waits as well:
    only a connection that is gone lets both return. Nor does a COPY that waits for the socket
    notice that the connection is lost.

    Raises:
        TimeoutError: the deadline passed.
        ConnectionError: the connection was lost, and `work` did not notice.
    """
    lost = asyncio.get_running_loop().create_future()

    def gone(_: object) -> None:
        if not lost.done():
            lost.set_result(None)

    connection.add_termination_listener(gone)
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, lost}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            await asyncio.wait({task}, timeout=_NOTICE)
    except asyncio.CancelledError:
        await _abandon(connection, task)
        raise
    if not task.done():
        await _abandon(connection, task)
        raise ConnectionError("the connection was lost") if lost.done() else TimeoutError
    if isinstance(task.exception(), asyncpg.InternalClientError):
        connection.terminate()  # its state is not known
    with suppress(asyncpg.InterfaceError):  # it is gone, and the listener with it
        connection.remove_termination_listener(gone)
    return task.result()


async def _abandon(connection: PoolConnectionProxy[Any], task: asyncio.Future[Any]) -> None:
    with suppress(asyncpg.InterfaceError):  # the pool has taken it back: it is gone
        connection.terminate()
    task.cancel()
    with anyio.CancelScope(shield=True):  # whoever cancels goes on cancelling
        await asyncio.wait({task}, timeout=5)
    if task.done() and not task.cancelled():
        task.exception()  # read, or asyncio reports it as never retrieved
