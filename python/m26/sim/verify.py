"""Requests in, what they ask for out; whoever does not keep to the wire's form is refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from m26.sim.accounts import Account
from m26.sim.constants import Constants
from m26.sim.replies import MUT, RefusedError, blaze_error, html, violation, wrong_game

_NONCE = 4
_MAX_AHEAD, _MAX_BEHIND = 7_200, 60
"""How far messageExpirationTime may lie from the server's clock, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A Process request whose envelope is in order; its signature is still to be checked."""

    command: str
    payload: dict[str, Any]
    device_id: str
    auth_data: str
    auth_code: str


def platform_of(constants: Constants, headers: Mapping[str, str], platforms: frozenset[str]) -> str:
    """The platform that a WAL request's headers speak for."""
    if headers.get("user-agent") != constants.user_agent:
        raise RefusedError(html(403, "Access Denied"))
    wanted = {
        "accept": "application/json",
        "accept-charset": "UTF-8",
        "content-type": "application/json",
        "x-blaze-void-resp": "XML",
        "x-application-key": constants.application_key,
    }
    for name, value in wanted.items():
        if headers.get(name) != value:
            raise RefusedError(violation(f"header {name} is not {value}"))
    if headers.get("accept-encoding", "") not in {"gzip", "identity", ""}:
        raise RefusedError(violation("header accept-encoding asks for more than gzip"))
    blaze_id = headers.get("x-blaze-id", "")
    return _served(constants.blaze_id, constants, blaze_id, platforms)


def product_platform(constants: Constants, product: str, platforms: frozenset[str]) -> str:
    """The platform that a login's productName speaks for."""
    return _served(constants.product_name, constants, product, platforms)


def _served(template: str, constants: Constants, name: str, platforms: frozenset[str]) -> str:
    for platform in platforms:
        if name == template.format(year=constants.year, platform=platform):
            return platform
    raise RefusedError(wrong_game(name.replace("<", "")))


def document(body: bytes) -> dict[str, Any]:
    """A request body that is a JSON object."""
    return _object(body, "the body")


def access_token(body: bytes) -> str:
    """The access token that a login gives, unverified; empty when it is unreadable."""
    try:
        return str(orjson.loads(body)["accessToken"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def command_name(body: bytes) -> str:
    """The command that a Process request claims to be, unverified; empty when it is unreadable."""
    try:
        name: Any = orjson.loads(orjson.loads(body)["requestInfo"])["commandName"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return name if isinstance(name, str) else ""


def message(constants: Constants, body: bytes, now: float) -> Message:
    """Open a Process request down to its command, payload and signature."""
    outer = document(body)
    _demand(outer.get("apiVersion") == 2, "apiVersion is not 2")  # noqa: PLR2004
    _demand(outer.get("clientDevice") == 3, "clientDevice is not 3")  # noqa: PLR2004
    info = _object(outer.get("requestInfo"), "requestInfo")
    expiry: Any = info.get("messageExpirationTime")
    _demand(type(expiry) is int, "messageExpirationTime is not a number")
    in_time = now - _MAX_BEHIND <= expiry <= now + _MAX_AHEAD
    _demand(in_time, "messageExpirationTime is not near the server's clock")
    _demand(info.get("componentId") == MUT, f"componentId is not {MUT}")
    _demand(info.get("componentName") == "mut", "componentName is not mut")
    _demand(info.get("ipAddress") == "127.0.0.1", "ipAddress is not 127.0.0.1")
    payload = _object(info.get("requestPayload"), "requestPayload")
    auth: Any = info.get("messageAuthData")
    _demand(isinstance(auth, dict), "messageAuthData is not an object")
    _demand(auth.get("authType") == constants.auth_type, "authType is not the profile's")
    texts: tuple[Any, ...] = (info.get("deviceId"), auth.get("authData"), auth.get("authCode"))
    _demand(all(isinstance(text, str) and text for text in texts), "a signature field is missing")
    number = info.get("commandId")
    command = constants.commands.get(number) if type(number) is int else None
    if command is None or command != info.get("commandName"):
        raise RefusedError(blaze_error("ERR_COMMAND_NOT_FOUND"))
    return Message(
        command=command,
        payload=payload,
        device_id=texts[0],
        auth_data=texts[1],
        auth_code=texts[2],
    )


def signature(constants: Constants, message: Message, account: Account) -> int:
    """The requestId of a message that this account's holder of the constants signed."""
    try:
        data = base64.b64decode(message.auth_data, validate=True)
        code = base64.b64decode(message.auth_code, validate=True)
    except binascii.Error:
        raise _unsigned("authData or authCode is not base64") from None
    if not hmac.compare_digest(_md5(constants.code_secret + data), code):
        raise _unsigned("authCode does not match authData")
    stream = _md5(data[:_NONCE] + constants.key)
    pairs = zip(data[_NONCE:], itertools.cycle(stream), strict=False)
    try:
        signed = orjson.loads(bytes(byte ^ key for byte, key in pairs))
    except orjson.JSONDecodeError:
        raise _unsigned("authData does not open") from None
    expected = {"staticData": constants.static_data, "blazeId": account.blaze_id}
    wrong = [name for name, value in expected.items() if signed.get(name) != value]
    if wrong or message.device_id != account.device_id:
        raise _unsigned(f"{wrong[0] if wrong else 'deviceId'} is not the account's")
    if type(signed.get("requestId")) is not int:
        raise _unsigned("requestId is not a number")
    return int(signed["requestId"])


def sign(constants: Constants, account: Account, request_id: int, nonce: bytes) -> tuple[str, str]:
    """(authData, authCode) as the game's app would make them, for the capture handed out."""
    fields = {"staticData": constants.static_data, "requestId": request_id}
    text = orjson.dumps(fields | {"blazeId": account.blaze_id})
    stream = itertools.cycle(_md5(nonce + constants.key))
    data = nonce + bytes(byte ^ key for byte, key in zip(text, stream, strict=False))
    code = _md5(constants.code_secret + data)
    return base64.b64encode(data).decode(), base64.b64encode(code).decode()


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _unsigned(what: str) -> RefusedError:
    text = f"message authentication failed: {what}"
    return RefusedError(blaze_error("ERR_AUTHORIZATION_REQUIRED", text=text))


def _object(text: object, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text) if isinstance(text, str | bytes) else None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise RefusedError(violation(f"{what} is not JSON text of an object"))
    return value


def _demand(condition: bool, what: str) -> None:
    if not condition:
        raise RefusedError(violation(what))
