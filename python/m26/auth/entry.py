"""One account's entry in the vault, as a running process has it: changes in, its state out."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import anyio
import structlog
from anyio import to_thread

from m26.auth.credentials import Credentials
from m26.auth.tally import Tally
from m26.auth.vault import Vault
from m26.errors import AuthError, ConfigError, StorageError
from m26.upstream.rules import verdict
from m26.upstream.verdicts import RefusedError, UnavailableError

Change = Callable[[Credentials], Credentials]

_EVERY = 60.0
"""Seconds between two writes that only bring counts up to date."""
_LAST_TRIES = (0.0, 0.5, 1.0, 2.0)
"""Seconds before each attempt to save a token pair at the end: without it a login is lost."""

_log = structlog.get_logger(__name__)


class Entry:
    """Credentials of one account, read again whenever the vault's file is another one.

    A vault that cannot be read or written now is a failure that may pass; an account that is no
    longer in it needs the operator.

    Args:
        vault: where it is.
        account: its name.
        clock: Unix seconds.

    Raises:
        AuthError: the vault has no such account or cannot be used.
    """

    def __init__(self, vault: Vault, account: str, *, clock: Callable[[], float]) -> None:
        self.account = account
        self.tally = Tally()
        self._vault = vault
        self._clock = clock
        self._owed: list[Change] = []
        self._stamp = vault.stamp()
        self.credentials = vault.read(account)
        """What was there at the last look. What `tally` has is not in it yet."""
        self._written_at = clock()
        self._unwritten = False

    async def look(self) -> bool:
        """Read it again if the file changed; whether it did. Costs one system call if not.

        Raises:
            RefusedError: the account is no longer there.
        """
        if self._vault.stamp() == self._stamp:
            return False
        try:
            await self._load()
        except UnavailableError as error:  # what was read before may still be good
            _log.warning("vault.unreadable", account=self.account, error=error.message)
            return False
        return True

    async def read(self) -> Credentials:
        """The credentials as they are now, after writing what could not be written before.

        Raises:
            RefusedError: the account is no longer there.
            UnavailableError: the vault cannot be used now.
        """
        if self._owed:
            await self.change(_same)
        await self._load()
        return self.credentials

    async def change(self, change: Change) -> Credentials:
        """Change it, durably, before returning; counts are written along.

        Raises:
            RefusedError: the account is no longer there.
            UnavailableError: it could not be written; nothing changed.
        """
        owed, tally = tuple(self._owed), self.tally.take()

        def apply(credentials: Credentials) -> Credentials:
            for step in (*owed, tally.onto, change):
                credentials = step(credentials)
            return credentials

        try:
            with self._telling():
                credentials = await to_thread.run_sync(self._vault.change, self.account, apply)
        except BaseException:
            self.tally.put_back(tally)
            raise
        # Not by their number: a change beside this one may have written the same ones.
        self._owed = [step for step in self._owed if step not in owed]
        self.credentials = credentials
        self._written_at = self._clock()
        self._unwritten = False
        return self.credentials

    async def settle(self, change: Change) -> Credentials:
        """`change` what must not be lost: should it fail, it is kept and written first next time.

        Raises:
            RefusedError: the account is no longer there.
            UnavailableError: it is not written yet.
        """
        try:
            return await self.change(change)
        except UnavailableError:
            self._owed.append(change)
            raise

    async def record(self, *, now: bool = False) -> None:
        """Write down counts: `now`, or when they were not for a minute. Never fails a request."""
        due = self._clock() - self._written_at >= _EVERY
        if not (self.tally or self._owed) or not (due or (now and not self._unwritten)):
            return
        try:
            await self.change(_same)
        except (RefusedError, UnavailableError) as error:
            if not self._unwritten:
                _log.warning("vault.unwritable", account=self.account, error=error.message)
            self._unwritten = True
            self._written_at = self._clock()  # try again in a minute

    async def aclose(self) -> None:
        """Write down what is not, also while being cancelled."""
        if not (self.tally or self._owed):
            return
        with anyio.CancelScope(shield=True):
            for pause in _LAST_TRIES if self._owed else (0.0,):
                await anyio.sleep(pause)
                try:
                    await self.change(_same)
                except (RefusedError, UnavailableError) as error:
                    lost = "a token pair" if self._owed else "counts"
                    _log.error(
                        "vault.unwritten", account=self.account, lost=lost, error=error.message
                    )
                else:
                    break

    @contextlib.asynccontextmanager
    async def renewing(self) -> AsyncIterator[None]:
        """Hold the account's renewal, of all processes.

        Raises:
            UnavailableError: the home cannot be written now.
        """
        async with contextlib.AsyncExitStack() as stack:
            with self._telling():
                await stack.enter_async_context(self._vault.renewing(self.account))
            yield

    async def _load(self) -> None:
        self._stamp = self._vault.stamp()
        with self._telling():
            self.credentials = await to_thread.run_sync(self._vault.read, self.account)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (AuthError, ConfigError, StorageError) as error:
            if self._is_gone():
                raise RefusedError(verdict("no_credentials", error.message)) from None
            raise UnavailableError(verdict("vault_unusable", error.message)) from None

    def _is_gone(self) -> bool:
        try:
            return self.account not in self._vault.accounts()
        except (AuthError, ConfigError):
            return False


def _same(credentials: Credentials) -> Credentials:
    return credentials
