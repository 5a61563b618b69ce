"""How a question about a market is answered: a request in; its answer in a form, or a problem, out.

An answer takes the loop from no other stage: it is put into its form in a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from starlette.responses import Response

from m26.errors import StorageError, UsageError
from m26.web.media import FORMS, Body, accepted, body_of
from m26.web.parameters import PAST, Parameter, pattern
from m26.web.problem import FaultView, problem, refused
from m26.web.route import Asked, Route

Ask = Callable[..., Awaitable[Any]]
"""Whom to ask, the platform, and the other parameters by name: a document, or None where there is
no such card."""
Make = Callable[[Asked, str, str, bool], Awaitable[Body | None]]
"""A request, its platform, the form, and whether it may be packed."""

_PLATFORM = Parameter(
    "platform",
    pattern(r"[a-z0-9]{1,12}", "a platform, as ps5"),
    "Whose market. It may be left out where only one was seen.",
)
_AT = Parameter("at", PAST, "As the market was known at that moment, not what came later.")
_HEADERS = {
    "ETag": "Another one, another answer; for `If-None-Match`.",
    "Link": 'Where there is more, as `<…>; rel="next"`.',
}
_OTHERS = {
    304: "The answer is still the one of `If-None-Match`.",
    404: "Nothing was seen of that platform, of that card on it, or at that moment yet.",
    406: "It comes in none of the forms of `Accept`.",
    503: "The database is away or busy; `Retry-After` says when to ask again.",
}
_LATER = {"retry-after": "2"}
"""Seconds: as long as one waits for a connection, so that who obeys does not wait in line."""


def question(path: str, about: str, kind: Any, ask: Ask, *parameters: Parameter) -> Route:  # noqa: ANN401
    """The route of a question: documents of type `kind`, made for each request."""
    return made(path, about, kind, partial(answered, kind, ask), *parameters)


async def answered(
    kind: Any,  # noqa: ANN401 - types have no type
    ask: Ask,
    asked: Asked,
    platform: str,
    media: str,
    pack: bool,
) -> Body | None:
    """Ask, and put the document into its form; unless somebody has just asked the same."""

    async def make() -> Body | None:
        async with asked.site.desk.turn() as prices:
            document = await ask(prices, platform, **asked.values)
        if document is None:
            return None
        work = partial(body_of, document, kind, media, pack=pack)
        return await run_sync(work, limiter=asked.site.limiter)

    url = asked.request.url
    return await asked.site.kept.body((url.path, url.query, platform, media, pack), make)


def made(path: str, about: str, kind: Any, make: Make, *parameters: Parameter) -> Route:  # noqa: ANN401
    """The route of a question whose answers are made by `make`."""
    in_path = tuple(each for each in parameters if each.place == "path")
    return Route(
        path=path,
        about=about,
        kind=kind,
        media=tuple(FORMS),
        parameters=(*in_path, _PLATFORM, *parameters[len(in_path) :], _AT),
        headers=_HEADERS,
        others=_OTHERS,
        respond=partial(_respond, make),
    )


async def _respond(make: Make, asked: Asked) -> Response:
    header = asked.request.headers
    media = accepted(header.get("accept"), tuple(FORMS))
    if media is None:
        return problem(406, f"It comes as {' or '.join(FORMS)}: name one of them in Accept.")
    pack = accepted(header.get("accept-encoding", "identity"), ("gzip", "identity")) == "gzip"
    try:
        platform = _chosen(asked.values.pop("platform", None), await asked.site.desk.platforms())
        if isinstance(platform, Response):
            return platform
        body = await make(asked, platform, media, pack)
    except UsageError as error:  # the one thing that no description tells: a moment that is to come
        return problem(404, f"{error.message}; {error.hint}.")
    except StorageError as error:
        told = f"{error.message}. {error.hint}"
        return problem(503, told, title="No answer from the database", headers=_LATER)
    if body is None:
        what = f"card {asked.values['card_id']} on {platform}"
        return problem(404, f"Nothing was seen of {what}; /api/v1/market?q=NAME finds cards.")
    return await _sent(asked, body, media, pack=pack)


def _chosen(given: str | None, seen: list[str]) -> str | Response:
    """The platform that is meant, or what is wrong."""
    if given is None and len(seen) == 1:
        return seen[0]
    if given in seen:
        return given
    if not seen:
        return problem(
            404, "No market was seen yet: no page is stored, or its prices are not made."
        )
    if given is not None:
        return problem(404, f"Nothing was seen of {given}; there is {', '.join(seen)}.")
    detail = f"platform is missing; it must be one of {', '.join(seen)}"
    return refused([FaultView(name="platform", detail=detail, allowed=", ".join(seen))])


async def _sent(asked: Asked, body: Body, media: str, *, pack: bool) -> Response:
    headers = {
        "etag": body.etag,
        "vary": "accept, accept-encoding",
        "cache-control": "private, no-cache",  # kept, and asked for again with If-None-Match
    }
    if body.next is not None:
        following = asked.request.url.include_query_params(after=body.next)
        headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
    known = asked.request.headers.get("if-none-match", "")
    if body.etag in [each.strip() for each in known.split(",")] or known == "*":
        return Response(status_code=304, headers=headers)
    data = body.data
    if body.is_packed and pack:
        headers["content-encoding"] = "gzip"
    elif body.is_packed:
        data = await run_sync(body.unpacked, limiter=asked.site.limiter)
    return Response(data, headers=headers, media_type=media)
