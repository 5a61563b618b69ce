"""``m26 auth login``: a browser's login becomes the account's tokens."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import anyio
from cyclopts import Parameter

from m26.cli.credentials import health, opened, say_stopped, show, stopped
from m26.cli.options import AllowHost, Options
from m26.cli.output import dump_json, say

if TYPE_CHECKING:
    from m26.cli.auth_documents import LoginView
    from m26.cli.documents import AddressView
    from m26.upstream.profile import Profile

_GUIDE = """\
1. Open this address in a browser and log in:

{address}

2. Paste the address of the page you land on (it does not load: that is right):
"""


_STDIN = "-"
_SHOWN = (
    "what --redirect says is in the list of processes, where everybody on this machine can read "
    "it: give the address on standard input (--redirect -)"
)


def login(
    *,
    account: str = "main",
    platform: str | None = None,
    redirect: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    allow_host: AllowHost = None,
    print_url: Annotated[bool, Parameter(negative="")] = False,
    options: Options = Options(),
) -> None:
    """Log in through a browser: open an address, then paste the one it ends at.

    The code in that address is good once and for minutes; it is shown and kept nowhere.

    Example: ``m26 auth login --account main --platform ps5``

    In a script: ``--print-url`` first; then the same without it, the address on standard input.

    With ``--json``: {"url"}, then {"account", "stopped"}, one document a line.

    Args:
        account: the account that logs in; a new name adds one.
        platform: ps5, xbsx, pc, ps4 or xone, of a new account (M26_PLATFORM).
        redirect: ``-``: the address that it ended at is on standard input already. Given here
            itself, it can be read by everybody on this machine while the command runs.
        allow_host: a server that may have credentials though they are for others; it is remembered.
        print_url: only print the address to open.
        options: options of every command.
    """
    from m26.app.upkeep import check_room, log_in, profile_of
    from m26.auth.login import prepare
    from m26.auth.origins import asked
    from m26.auth.redirect import address, read_redirect
    from m26.clock import Clock

    settings, vault, chosen = opened(options)
    known = vault.read(account).platform if account in vault.accounts() else None
    wanted = platform or (None if known else settings.platform)
    profile = profile_of(known or wanted, chosen)
    who = prepare(
        vault,
        account=account,
        platform=wanted,
        profile=profile,
        to=asked(profile, settings.upstream),
        allow=allow_host or (),
    )
    check_room(settings, who, Clock())
    if redirect is None:
        _tell_of_listener(profile)
        base_url = settings.upstream.oauth_url or profile.oauth.base_url
        url = address(who, profile=profile, base_url=base_url, vault=vault, now=time.time())
        if options.json:
            begins: AddressView = {"url": url}
            dump_json(begins)
        else:
            say(f"{url}\n" if print_url else _GUIDE.format(address=url))
        if print_url:
            return
    elif redirect != _STDIN:
        say(f"warning: {_SHOWN}\n", stderr=True)
    if redirect in (None, _STDIN):
        redirect = sys.stdin.readline()
    grant = read_redirect(redirect, who, profile=profile, vault=vault, now=time.time())
    credentials = anyio.run(
        lambda: log_in(grant, who, settings=settings, vault=vault, clock=Clock())
    )
    shown, stop = health(account, credentials, chosen), stopped(settings.home)
    if options.json:
        printed: LoginView = {"account": shown, "stopped": stop}
        dump_json(printed)
        return
    show(shown)
    say_stopped(stop)


def _tell_of_listener(profile: Profile) -> None:
    from m26.auth.redirect import listener

    if (where := listener(profile)) is not None:
        text = f"something listens at {where}, where the browser takes the code of your login: "
        say(f"warning: {text}if that is not yours, end it before you log in\n", stderr=True)
