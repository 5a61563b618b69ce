"""``m26 auth forget`` and ``rekey``: credentials deleted, and everything under a new key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.credentials import opened
from m26.cli.options import Options
from m26.cli.output import confirm, console, dump_json, say
from m26.errors import AuthError, ConfigError, UsageError

if TYPE_CHECKING:
    from m26.auth.vault import Vault
    from m26.cli.auth_documents import ForgetView, NewKeyView, RekeyView

_FLAG = Parameter(negative="")
_STAYS = (
    "Deleted from the vault alone: EA still takes these tokens until they end; log out in the app "
    "to end them now. A session kept in Redis is encrypted and goes by itself within 30 minutes. "
    "A running m26 stops asking for a deleted account. Captures and backups of yours stay."
)
_BY_HAND = (
    "m26 cannot change the key there. Print a new one with `m26 auth rekey --print-key`, put it "
    "before the old one (NEW,OLD) for every process of this home, run `m26 auth rekey`, then drop "
    "OLD."
)


def forget(
    *,
    account: str | None = None,
    bundle: str | None = None,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    yes: Annotated[bool, _FLAG] = False,
    options: Options = Options(),
) -> None:
    """Delete an account, one captured bundle, or everything from the vault.

    A deleted bundle does not come back with an old capture. What an account has spent of its
    budget is kept: its limits go on.

    Example: ``m26 auth forget --account demo --yes``

    With ``--json``: {"accounts", "bundles"}, the names and ids that were deleted.

    Args:
        account: the account to delete, or the one whose bundle it is.
        bundle: id of one bundle, as `m26 auth status --bundles` shows it.
        all_: every account.
        yes: do not ask.
        options: options of every command.
    """
    if all_ == (account is not None or bundle is not None):
        raise UsageError(
            "say what to delete", hint="Give --account NAME, --bundle ID, or --all alone."
        )
    from m26.auth.rebuild import without

    _, vault, _ = opened(options)
    accounts: tuple[str, ...] = ()
    if bundle is not None:
        owner = _owner(vault, bundle, account)
        confirm(f"Delete bundle {bundle} of account {owner}?", yes=yes)
        vault.change(owner, lambda credentials: without(credentials, (bundle,)))
    else:
        if account is not None:
            _check_known(vault, account)  # before the question
        names = vault.accounts() if account is None else (account,)
        confirm(f"Delete all credentials of {', '.join(names) or 'nobody'}?", yes=yes)
        accounts = vault.forget(account)
    bundles = [bundle] if bundle is not None else []
    if options.json:
        printed: ForgetView = {"accounts": accounts, "bundles": bundles}
        dump_json(printed)
        return
    gone = [*accounts, *(f"bundle {each}" for each in bundles)]
    console().print(f"Forgotten: {', '.join(gone) or 'nothing'}. {_STAYS}", markup=False)


def rekey(*, print_key: Annotated[bool, _FLAG] = False, options: Options = Options()) -> None:
    """Encrypt the vault with a new key, and drop the old one.

    Safe beside `m26 run`, and over a crash at any moment. Where the key comes from
    M26_VAULT__KEY, a systemd credential or a file that is not ours, you put the new key before
    the old one, run this, then take the old one away.

    Example: ``m26 auth rekey``

    With ``--json``: {"key", "steps"}; with ``--print-key``: {"new_key"}.

    Args:
        print_key: only print a fresh key, for a place that m26 cannot write to.
        options: options of every command.
    """
    from m26.auth.keys import new_key

    if print_key:
        fresh = new_key()
        shown: NewKeyView = {"new_key": fresh}
        dump_json(shown) if options.json else say(f"{fresh}\n")
        return
    _, vault, _ = opened(options)
    if not vault.accounts():
        raise AuthError(
            "the vault is empty: there is nothing to encrypt",
            hint="Run: m26 auth login, or: m26 auth import FILE",
        )
    keys = vault.keys
    if not keys.is_replaceable and len(keys.read()) == 1:
        raise ConfigError(f"the only key is the old one, from {keys.origin}", hint=_BY_HAND)
    steps = list(vault.rekey())
    if options.json:
        printed: RekeyView = {"key": keys.origin, "steps": steps}
        dump_json(printed)
        return
    for step in steps:
        console().print(step, markup=False, soft_wrap=True)
    if not keys.is_replaceable:
        console().print(f"Now take the old key out of {keys.origin}.", markup=False)


def _check_known(vault: Vault, account: str) -> None:
    names = vault.accounts()
    if account not in names:
        known = ", ".join(names) or "none"
        raise AuthError(
            f"the vault has no account {account!r} (known: {known})", hint="See: m26 auth status"
        )


def _owner(vault: Vault, bundle: str, account: str | None) -> str:
    names = vault.accounts() if account is None else (account,)
    for name in names:
        if any(each.id == bundle for each in vault.read(name).bundles):
            return name
    raise UsageError(f"there is no bundle {bundle!r}", hint="See: m26 auth status --bundles")
