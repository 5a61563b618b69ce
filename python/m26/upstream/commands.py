"""The three calls as they go out: a profile and values in, paths, headers and bodies out."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import orjson

from m26.upstream.profile import Command, Profile
from m26.upstream.secret import Secret
from m26.upstream.signing import MessageAuth

AUTHORIZE_PATH = "/connect/auth"
TOKEN_PATH = "/connect/token"  # noqa: S105 - a path
LOGIN_PATH = "/wal/authentication/login"
PROCESS_PATH = "/wal/mca/Process/"

_COMPONENT_ID = 2050
_COMPONENT_NAME = "mut"
_EXPIRES_AFTER = 300
"""Seconds of server time after which a message may be refused; public clients use 0 to 3,600."""


def authorize_url(
    profile: Profile, *, base_url: str, client_id: Secret, state: str, challenge: str = ""
) -> str:
    """The page on which a person logs in; it ends at the redirect address with a code.

    Args:
        profile: the client's fixed parameters.
        base_url: of the token service.
        client_id: the client that asks; everyone sees it in this address.
        state: comes back with the code.
        challenge: what is shown of the proof that will go with the code; empty: there is none.
    """
    oauth = profile.oauth
    key = oauth.machine_profile_key
    query = {
        "hide_create": "true",
        "release_type": oauth.release_type,
        "response_type": "code",
        "redirect_uri": oauth.redirect_uri,
        "client_id": client_id.reveal(),
        **({"machineProfileKey": key} if key else {}),
        "authentication_source": oauth.authentication_source,
        "state": state,
        **({"code_challenge": challenge, "code_challenge_method": "S256"} if challenge else {}),
    }
    return f"{base_url.rstrip('/')}{AUTHORIZE_PATH}?{urlencode(query)}"


def code_form(
    profile: Profile,
    *,
    client_id: Secret,
    client_secret: Secret,
    code: Secret,
    proof: Secret | None = None,
) -> dict[str, str]:
    """Form of ``/connect/token`` that trades the code of a login for its first pair."""
    given = {"code": code.reveal(), **({"code_verifier": proof.reveal()} if proof else {})}
    return _grant(profile, client_id, client_secret, "authorization_code", **given)


def refresh_form(
    profile: Profile, *, client_id: Secret, client_secret: Secret, refresh_token: Secret
) -> dict[str, str]:
    """Form of ``/connect/token`` that trades a refresh token for a new pair."""
    secret = refresh_token.reveal()
    return _grant(profile, client_id, client_secret, "refresh_token", refresh_token=secret)


def _grant(
    profile: Profile, client_id: Secret, client_secret: Secret, kind: str, **proof: str
) -> dict[str, str]:
    return {
        "grant_type": kind,
        "client_id": client_id.reveal(),
        "client_secret": client_secret.reveal(),
        **proof,
        "redirect_uri": profile.oauth.redirect_uri,
        "release_type": profile.oauth.release_type,
        "authentication_source": profile.oauth.authentication_source,
        "token_format": "JWS",
    }


def gateway_headers(profile: Profile, platform: str) -> dict[str, str]:
    """Headers of every gateway call; none of them is secret."""
    return {
        "Accept": "application/json",
        "Accept-Charset": "UTF-8",
        "Content-Type": "application/json",
        "X-BLAZE-ID": profile.blaze_id(platform),
        "X-BLAZE-VOID-RESP": "XML",
        "X-Application-Key": profile.wal.application_key,
    }


def login_body(profile: Profile, platform: str, access_token: Secret) -> bytes:
    """Body of the login for one platform's persona."""
    return orjson.dumps(
        {"accessToken": access_token.reveal(), "productName": profile.product_name(platform)}
    )


def process_path(session_key: Secret) -> str:
    """Path of a Process call. The key holds ``/ + = $ *``: every one of them is encoded."""
    return PROCESS_PATH + quote(session_key.reveal(), safe="")


def process_body(
    command: Command,
    payload: str,
    *,
    signature: MessageAuth,
    device_id: Secret,
    server_time: float,
) -> bytes:
    """Body of a Process call: JSON text inside JSON text inside JSON.

    Args:
        command: what is asked.
        payload: the command's own arguments as JSON text.
        signature: proof that the message is ours.
        device_id: the device that the signature belongs to.
        server_time: the server's clock, Unix seconds.
    """
    info = {
        "messageExpirationTime": int(server_time) + _EXPIRES_AFTER,
        "deviceId": device_id.reveal(),
        "commandName": command.name,
        "componentId": _COMPONENT_ID,
        "commandId": command.id,
        "componentName": _COMPONENT_NAME,
        "ipAddress": "127.0.0.1",
        "requestPayload": payload,
        "messageAuthData": {
            "authCode": signature.code,
            "authData": signature.data,
            "authType": signature.type,
        },
    }
    return orjson.dumps(
        {"apiVersion": 2, "clientDevice": 3, "requestInfo": orjson.dumps(info).decode()}
    )
