"""The token service: codes and refresh tokens in, fresh tokens out."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

from m26.sim import replies
from m26.sim.accounts import Account, Accounts, Kind, Known
from m26.sim.constants import Constants
from m26.sim.faults import Rule
from m26.sim.replies import RefusedError, Reply

_GRANTS: Mapping[str, tuple[Kind, str]] = {
    "refresh_token": ("refresh", "refresh_token"),
    "authorization_code": ("code", "code"),
}
"""grant_type → the kind of secret and the form's field that holds it."""
_STATE = re.compile(r"[ -~]{1,4096}")
_CHALLENGE = re.compile(r"[\w-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenService:
    """Its rules over the accounts."""

    constants: Constants
    accounts: Accounts

    def whose(self, body: bytes) -> Account | None:
        """The account that a request's refresh token or code belongs to, good or not."""
        form = _form(body)
        kind, name = _GRANTS.get(form.get("grant_type", ""), _GRANTS["refresh_token"])
        return self.accounts.check(kind, form.get(name, ""))[1]

    def authorize(self, query: Mapping[str, str], known: Known) -> Reply:
        """``GET /connect/auth``: the page that sends a browser back with a code.

        Nobody has to log in for it: it plays the operator who just did.

        Raises:
            RefusedError: state or code_challenge are given and have no form.
        """
        own = self.constants
        if query.get("client_id") != own.client_id:
            return replies.oauth_error("invalid_client", "client_id is wrong")
        if query.get("redirect_uri") != own.redirect_uri:
            return replies.oauth_error("invalid_request", "redirect_uri is missing or wrong")
        if query.get("response_type") != "code":
            return replies.oauth_error("unsupported_response_type", "response_type is not code")
        if query.get("login_hint", known.account) != known.account:
            return replies.oauth_error("access_denied", "login_hint names no account")
        if not _STATE.fullmatch(query.get("state", "none")):
            raise _refused("invalid_request", "state is empty, too long or no text")
        challenge = query.get("code_challenge")
        if challenge is not None or "code_challenge_method" in query:
            _check_challenge(challenge or "", query.get("code_challenge_method", "plain"))
        back = {"code": self.accounts.issue("code", self.accounts.all[known.account])}
        if challenge is not None:
            self.accounts.challenges[back["code"]] = challenge
        if "state" in query:
            back["state"] = query["state"]
        headers = {"location": f"{own.redirect_uri}?{urlencode(back)}"}
        return Reply(body=b"", status=302, headers=headers, content_type="text/html")

    def exchange(self, body: bytes, known: Known, rule: Rule | None = None) -> Reply:
        """``POST /connect/token``.

        Raises:
            RefusedError: the client or its request is not in order.
        """
        form = _form(body)
        kind, given = self._grant(form)
        verdict, account = self.accounts.check(kind, given)
        known.owner(account)
        if account is None or verdict != "valid" or not self._is_proved(given, form):
            return replies.oauth_error("invalid_grant", "the grant is invalid or has expired")
        fault = rule.fault if rule is not None else ""
        life = int(self.accounts.life.access)
        document: dict[str, Any] = {"token_type": "Bearer", "expires_in": life}
        if fault == "no_access_token":
            return replies.json(document | {"refresh_token": given}, answer=fault)
        document["access_token"] = self.accounts.issue("access", account)
        if fault == "no_refresh_token":
            return replies.json(document, answer=fault)
        if kind == "refresh":
            document["refresh_token"] = self.accounts.rotate(given)
        else:
            self.accounts.spend(given)
            document["refresh_token"] = self.accounts.issue("refresh", account)
        document["id_token"] = self.accounts.issue("identity", account)
        return replies.json(document, headers={"cache-control": "no-store"})

    def _is_proved(self, given: str, form: Mapping[str, str]) -> bool:
        proof, wanted = form.get("code_verifier"), self.accounts.challenges.get(given)
        shown = urlsafe_b64encode(sha256((proof or "").encode()).digest()).rstrip(b"=").decode()
        return (shown if proof else None) == wanted

    def _grant(self, form: Mapping[str, str]) -> tuple[Kind, str]:
        """What is handed in for tokens, of a form that keeps to the wire's."""
        own = self.constants
        client = (form.get("client_id"), form.get("client_secret"))
        if client != (own.client_id, own.client_secret):
            raise _refused("invalid_client", "client_id or client_secret is wrong")
        fixed = {
            "redirect_uri": own.redirect_uri,
            "release_type": own.release_type,
            "authentication_source": own.authentication_source,
            "token_format": "JWS",
        }
        wrong = [name for name, value in fixed.items() if form.get(name) != value]
        if wrong:
            raise _refused("invalid_request", f"{wrong[0]} is missing or wrong")
        if form.get("grant_type") not in _GRANTS:
            raise _refused("unsupported_grant_type", "grant_type is not known")
        kind, name = _GRANTS[form["grant_type"]]
        return kind, form.get(name, "")


def _check_challenge(challenge: str, method: str) -> None:
    if method != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise _refused("invalid_request", "code_challenge is none of S256")


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _refused(error: str, description: str) -> RefusedError:
    return RefusedError(replies.oauth_error(error, description))
