"""The public API as a typed program uses it; `make lint` checks it as installed, in strict mode.

Never run. Each `assert_type` fails when a type of the API changes or degrades to Any, and the
import fails when the package no longer says that it is typed (`py.typed`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import m26

# Replies in: a capture, page by page.
pages = m26.read_captures("capture.har")
assert_type(pages, Iterator[m26.Page])
assert_type(m26.read_captures(Path("journal"), on_read=print, on_problem=print), Iterator[m26.Page])
page = next(pages)
assert_type(page.body, bytes)
assert_type(page.platform, str)
assert_type(page.command, str)
assert_type(page.account, str)
assert_type(page.query, str)
assert_type(page.content_type, str)
assert_type(page.status, int)
assert_type(page.fetched_at, int)
assert_type(page.sweep, int)
assert_type(page.is_reply, bool)

# Rows, rejects and drift out.
batch = m26.normalize([page.body], platform="ps5")
assert_type(batch, m26.Batch)
assert_type(m26.normalize((b"",), platform="pc", fetched_at=[0], profile="madden26"), m26.Batch)
assert_type(batch.auctions, m26.CopyBuffer)
assert_type(batch.cards, m26.CopyBuffer)
assert_type(batch.rejects, list[tuple[int, int | None, int, int, str, str]])
assert_type(batch.drift, list[tuple[str, str, int, str]])
assert_type(batch.counts, dict[str, int])
assert_type(batch.refused, list[int])
assert_type(batch.oldest, int | None)
assert_type(batch.rows(), list[tuple[int | str | None, ...]])
assert_type(batch.card_rows(), list[tuple[int | str | None, ...]])
assert_type(batch.locate(0), tuple[int, int, int, int])
assert_type(batch.locate_card(0), tuple[int, int, int, int])

# Bytes of PostgreSQL's binary COPY.
buffer = batch.auctions
assert_type(buffer.rows, int)
assert_type(len(buffer), int)
assert_type(buffer.slice(0, 1), m26.CopyBuffer)
assert_type(memoryview(buffer), memoryview[int])

# What a single reply is, without its auctions.
seen = m26.peek(page.body)
assert_type(seen, m26.Peek)
assert_type(seen.kind, str)
assert_type(seen.error_name, str | None)
assert_type(seen.error_code, int | None)
assert_type(seen.error_text, str | None)
assert_type(seen.ui_error_code, int | None)
assert_type(seen.captcha, str | None)
assert_type(seen.captcha_url, str | None)
assert_type(seen.response_time, int | None)
assert_type(seen.truncated, bool | None)
assert_type(seen.count, int)
assert_type(seen.ids_digest, int)
assert_type(seen.newest_posted, int | None)
assert_type(seen.success, bool | None)

# One tree of errors.
try:
    m26.normalize([], platform="ps5", profile="unknown")
except m26.TransportError as error:
    upstream: m26.UpstreamError = error
except (m26.UsageError, m26.ConfigError, m26.AuthError, m26.UpstreamError) as error:
    assert_type(error, m26.UsageError | m26.ConfigError | m26.AuthError | m26.UpstreamError)
except (m26.StorageError, m26.ShapeError, m26.HomeLockedError) as error:
    base: m26.M26Error = error
except m26.M26Error as error:
    assert_type(error.message, str)
    assert_type(error.hint, str)
    assert_type(error.code, str)
    assert_type(error.exit_code, int)

# A name that does not exist is an error: nothing answers for every name.
m26.normalise  # type: ignore[attr-defined]  # noqa: B018
