"""A capture of the operator's own app in, the credentials in it out.

Requests are recognised by host, path and body; nothing else of a capture is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from m26.auth.credentials import Bundle, Ticket, Tokens
from m26.auth.shown import GATEWAY, KINDS, TOKENS, Part, part_of
from m26.captures.flow import Flow
from m26.captures.kinds import flows_in
from m26.errors import ShapeError, UsageError
from m26.upstream.origin import LOOPBACK, Origins, host
from m26.upstream.secret import Secret

_LONE_TOKEN_LIFE = 3_600.0
"""Seconds assumed of an access token whose reply the capture does not show."""
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one capture holds."""

    requests: int = 0
    """All requests in it, ours or not."""
    platform: str | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    device_id: Secret | None = None
    tokens: Tokens | None = None
    ticket: Ticket | None = None
    bundles: tuple[Bundle, ...] = ()
    is_whole: bool = True
    """It shows nothing of another platform, which was not taken."""
    origins: tuple[str, str] = ("", "")
    """Whom it is all for: the token service and the gateway; empty where it shows no such call."""
    problems: tuple[str, ...] = ()
    """What of the capture could not be read, in sentences free of secrets; the first 20."""
    gaps: tuple[str, ...] = ()
    """Requests of the app's that show no credential, and why; the first 20."""

    @property
    def is_empty(self) -> bool:
        """It holds neither a token nor a signature: nothing works by it."""
        return not (self.tokens or self.bundles)


def read_credentials(
    path: Path,
    *,
    origins: Collection[Origins] = (),
    platform: str | None = None,
    preferred: str | None = None,
) -> Found:
    """Read the credentials in a HAR or mitmproxy flow file; of several the newest, of bundles all.

    Args:
        path: the capture, also packed (gzip, zstd); of one that is cut off, what is whole.
        origins: whose requests count; those of this machine do in any case. Empty: of any one
            token service and any one gateway.
        platform: only what belongs to it counts.
        preferred: takes its place where the capture shows this platform among several.

    Raises:
        UsageError: the file cannot be read or is no such capture; or it shows several platforms,
            several accounts, or another platform than the one asked for.
    """
    requests, parts = 0, []
    problems: list[str] = []
    gaps: list[str] = []

    def problem(text: str) -> None:
        if len(problems) < _MOST_PROBLEMS:
            problems.append(text)

    try:
        for flow in flows_in(path, problem):
            requests += 1
            if part := part_of(flow):
                if stranger := _stranger(part, flow, origins):
                    problem(f"{path}: {flow.place}: {stranger}")
                    continue
                parts.append(part)
                for flaw in _flaws(flow, part):
                    problem(f"{path}: {flaw}")
                if part.gap and len(gaps) < _MOST_PROBLEMS:
                    gaps.append(f"{flow.place}: {part.gap}")
    except ShapeError as error:
        raise UsageError(error.message, hint=error.hint) from None
    parts = _of_one_server(parts, path, problem)
    chosen, ours = _of_one_account(parts, path, platform=platform, preferred=preferred)
    shown = {part.kind: part.origin for part in ours}
    return replace(
        _together(ours),
        requests=requests,
        platform=chosen,
        is_whole=len(ours) == len(parts),
        origins=(shown.get(TOKENS, ""), shown.get(GATEWAY, "")),
        gaps=tuple(gaps),
        problems=tuple(problems),
    )


def _stranger(part: Part, flow: Flow, origins: Collection[Origins]) -> str:
    """Why a request is none of ours, for all its path says; empty for one that is."""
    ours = {each.oauth if part.kind == TOKENS else each.gateway for each in origins}
    if not ours or part.origin in (*ours, LOOPBACK):
        return ""
    asked = host(flow.url) or "a server that is not told"
    return f"this is to {asked}, not to the profile's {part.kind}: not taken"


def _of_one_server(parts: list[Part], path: Path, problem: Callable[[str], None]) -> list[Part]:
    """What is left without a kind of call that several servers were asked."""
    for kind in KINDS:
        if len(seen := sorted({part.origin for part in parts if part.kind == kind})) > 1:
            shown = " and ".join(each or "one that is not told" for each in seen)
            problem(f"{path}: it shows more than one {kind}, {shown}: nothing of them was taken")
            parts = [part for part in parts if part.kind != kind]
    return parts


def _flaws(flow: Flow, part: Part) -> Iterator[str]:
    """What could not be read of a flow of ours; what answers a Process request is not needed."""
    if flow.request_flaw:
        yield flow.request_flaw
    if part.flaw:
        yield f"{flow.place} {part.flaw}"
    if flow.response is None and part.session is None:
        yield flow.flaw


def _of_one_account(
    parts: Collection[Part], path: Path, *, platform: str | None, preferred: str | None
) -> tuple[str | None, list[Part]]:
    """The platform that is taken of a capture, and what belongs to it."""
    known: dict[Secret | None, str] = {
        part.session: part.platform for part in parts if part.session and part.platform
    }
    parts = [replace(part, platform=part.platform or known.get(part.session)) for part in parts]
    seen = sorted({part.platform for part in parts if part.platform})
    if platform is None and len(seen) > 1:
        if preferred not in seen:
            raise UsageError(
                f"{path} shows requests of several platforms: {', '.join(seen)}",
                hint=f"Import each into an account of its own: --platform {seen[0]} "
                "--account NAME, and so on.",
            )
        platform = preferred
    if platform is not None and seen and platform not in seen:
        raise UsageError(
            f"{path} is of platform {', '.join(seen)}, not {platform}",
            hint="Correct --platform, or leave it away.",
        )
    chosen = platform or (seen[0] if seen else None)
    ours = [part for part in parts if part.platform in (None, chosen)]
    if len({part.blaze_id for part in ours if part.blaze_id is not None}) > 1:
        raise UsageError(
            f"{path} shows logins of more than one account",
            hint="Capture one account at a time.",
        )
    # A token pair names no platform; that of another account is known by its login.
    foreign = {part.access for part in parts if part.platform not in (None, chosen)}
    foreign -= {part.access for part in ours}
    return chosen, [
        replace(part, tokens=None) if part.tokens and part.tokens.access in foreign else part
        for part in ours
    ]


def _together(parts: Collection[Part]) -> Found:
    """What flows come to, taken in the order of their times."""
    found, bundles = Found(), {}
    personas = {part.session: part.blaze_id for part in parts if part.blaze_id is not None}
    for part in sorted(parts, key=attrgetter("at")):
        tokens, ticket = part.tokens or found.tokens, found.ticket
        if tokens is None and part.access is not None:
            end = part.at + _LONE_TOKEN_LIFE
            tokens = Tokens(access=part.access, refresh=None, expires_at=end, obtained_at=part.at)
        if part.session is not None and (ticket is None or ticket.session_key != part.session):
            persona = personas.get(part.session)
            ticket = Ticket(session_key=part.session, blaze_id=persona, obtained_at=part.at)
        if part.bundle is not None:
            persona = ticket.blaze_id if ticket else None
            bundles[part.bundle.id] = replace(part.bundle, blaze_id=persona)
        found = replace(
            found,
            client_id=part.client_id or found.client_id,
            client_secret=part.client_secret or found.client_secret,
            device_id=part.bundle.device_id if part.bundle else found.device_id,
            tokens=tokens,
            ticket=ticket,
        )
    return replace(found, bundles=tuple(bundles.values()))
