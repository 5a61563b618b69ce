from __future__ import annotations

from urllib.parse import unquote

import orjson
import pytest

from m26.upstream import commands
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret
from m26.upstream.signing import MessageAuth

PROFILE = Profile.load("madden26")


def test_a_process_body_is_json_text_inside_json_text() -> None:
    body = commands.process_body(
        PROFILE.commands["search"],
        '{"filters":[],"itemName":""}',
        signature=MessageAuth("CANARY-CODE", "CANARY-DATA", 17039361),
        device_id=Secret("CANARY-DEVICE"),
        server_time=1_790_000_000.9,
    )
    outer = orjson.loads(body)
    info = orjson.loads(outer.pop("requestInfo"))
    assert outer == {"apiVersion": 2, "clientDevice": 3}
    assert info == {
        "messageExpirationTime": 1_790_000_300,
        "deviceId": "CANARY-DEVICE",
        "commandName": "Mobile_SearchAuctions",
        "componentId": 2050,
        "commandId": 9153,
        "componentName": "mut",
        "ipAddress": "127.0.0.1",
        "requestPayload": '{"filters":[],"itemName":""}',
        "messageAuthData": {
            "authCode": "CANARY-CODE",
            "authData": "CANARY-DATA",
            "authType": 17039361,
        },
    }


@pytest.mark.parametrize("character", ["/", "+", "=", "$", "*", "%", "?", "#", " ", "ä"])
def test_every_awkward_character_of_a_session_key_is_encoded(character: str) -> None:
    key = f"CANARY{character}KEY"
    path = commands.process_path(Secret(key))
    last = path.removeprefix("/wal/mca/Process/")
    assert character not in last or character == "%"
    assert unquote(last) == key


def test_the_login_names_the_product_without_a_suffix_for_the_console_generation() -> None:
    body = orjson.loads(commands.login_body(PROFILE, "xbsx", Secret("CANARY-ACCESS")))
    assert body == {"accessToken": "CANARY-ACCESS", "productName": "madden-2026-xbsx-mca"}


def test_gateway_headers_are_those_of_the_protocol() -> None:
    assert commands.gateway_headers(PROFILE, "ps5") == {
        "Accept": "application/json",
        "Accept-Charset": "UTF-8",
        "Content-Type": "application/json",
        "X-BLAZE-ID": "madden-2026-ps5",
        "X-BLAZE-VOID-RESP": "XML",
        "X-Application-Key": "MADDEN-MCA",
    }


def test_a_refresh_form_has_every_field_of_the_protocol() -> None:
    form = commands.refresh_form(
        PROFILE,
        client_id=Secret("CANARY-ID"),
        client_secret=Secret("CANARY-SECRET"),
        refresh_token=Secret("CANARY-REFRESH"),
    )
    assert form == {
        "grant_type": "refresh_token",
        "client_id": "CANARY-ID",
        "client_secret": "CANARY-SECRET",
        "refresh_token": "CANARY-REFRESH",
        "redirect_uri": "http://127.0.0.1/success",
        "release_type": "prod",
        "authentication_source": "317239",
        "token_format": "JWS",
    }
