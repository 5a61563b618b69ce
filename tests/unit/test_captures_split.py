"""HAR entries out of a stream, whatever stands around them and wherever the stream is cut."""

from __future__ import annotations

import io
import json
import random
import time
from typing import Any

import pytest

from m26.captures.har import is_har, read_har
from m26.captures.split import Splitter
from m26.errors import ShapeError

LIMIT = 10_000
ODD = [
    {},
    {"a": "}"},
    {"a": '"]}'},
    {"\\": "\\"},
    {"a": '\\"'},
    {"a": '{"entries":[{"log":1}]}'},
    {"entries": [{"log": {"entries": [{}]}}]},
    {"é": "\u2028 😀", "b": [[], [{}], None, 1.5e3, True]},
]


class Dribble(io.BytesIO):
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self._size, size or 0))


def split(data: bytes, *, size: int = 1 << 20, limit: int = LIMIT) -> tuple[list[Any], Splitter]:
    splitter = Splitter()
    texts = splitter.split(Dribble(data, size), limit=limit)
    return [None if text is None else json.loads(text) for text in texts], splitter


def documents(entries: list[Any]) -> dict[str, bytes]:
    """The same entries in files of many forms."""
    list_ = json.dumps(entries)
    before = '"pages":[{"entries":[{"a":1}],"log":{"entries":[{}]}}],"creator":{"entries":[{}]}'
    return {
        "first": f'{{"log":{{"entries":{list_},"version":"1.2"}}}}'.encode(),
        "after pages": f'{{"log":{{{before},"entries":{list_}}}}}'.encode(),
        "log at the end": f'{{"entries":[{{}}],"x":{{"log":{{"entries":[{{}}]}}}},"log":'
        f'{{"entries":{list_}}}}}'.encode(),
        "names in texts": f'{{"a":"\\"log\\":","\\"log":{{"entries":[{{}}]}},"log":'
        f'{{"c":"\\"entries\\":[{{","entries":{list_}}}}}'.encode(),
        "indented": json.dumps({"log": {"pages": [], "entries": entries}}, indent=4).encode(),
        "spaced": f'\n {{ "log" \t:\r\n {{ "entries" :  {list_} }} }} \n'.encode(),
        "unescaped": json.dumps({"log": {"entries": entries}}, ensure_ascii=False).encode(),
        "BOM": b"\xef\xbb\xbf" + json.dumps({"log": {"entries": entries}}).encode(),
    }


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize("form", documents([]))
def test_entries_are_found_in_any_form_and_across_any_chunks(form: str, size: int) -> None:
    data = documents(ODD)[form]
    found, splitter = split(data, size=size)
    assert found == ODD
    assert (splitter.is_whole, splitter.has_entries, splitter.has_more) == (True, True, False)
    assert is_har(data)


def test_entries_that_are_no_objects_are_passed() -> None:
    found, _ = split(b'{"log":{"entries":[null,[{}],"{}",{"a":1},[[{"b":2}]],3,{}]}}')
    assert found == [{"a": 1}, {}]


def random_text(rng: random.Random) -> str:
    return "".join(rng.choices('"\\{}[]:,logentries \n\té😀', k=rng.randrange(12)))


def random_value(rng: random.Random, depth: int = 3) -> Any:
    if not depth or rng.random() < 0.4:
        return rng.choice([random_text(rng), rng.randrange(-99, 99), None, 0.5, True])
    if rng.random() < 0.5:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {random_text(rng): random_value(rng, depth - 1) for _ in range(rng.randrange(4))}


def test_random_documents_split_as_they_parse(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(300):
        log = {random_text(rng): random_value(rng) for _ in range(3)}
        log["entries"] = [random_value(rng) for _ in range(rng.randrange(5))]
        names = list(log)
        rng.shuffle(names)
        document = {"log": {name: log[name] for name in names}}
        data = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode()
        found, splitter = split(data, size=rng.choice([1, 5, 50, 5000]))
        assert found == [entry for entry in log["entries"] if isinstance(entry, dict)], data
        assert splitter.is_whole


def test_a_har_cut_anywhere_gives_its_whole_entries() -> None:
    data = documents(ODD)["after pages"]
    start, ends = data.rindex(b"[{}, "), []
    for entry in ODD:
        start = data.index(json.dumps(entry).encode(), start)
        start += len(json.dumps(entry))
        ends.append(start)
    for cut in range(len(data)):
        found, splitter = split(data[:cut])
        assert found == ODD[: sum(end <= cut for end in ends)]
        assert not splitter.is_whole


def test_a_long_entry_is_passed_over_wherever_it_is_cut() -> None:
    data = json.dumps({"log": {"entries": [{"a": 1}, {"b": "x" * 500}, {"c": 3}]}}).encode()
    for size in (1, 100, 1 << 20):
        found, splitter = split(data, size=size, limit=100)
        assert found == [{"a": 1}, None, {"c": 3}]
        assert splitter.is_whole


def test_a_damaged_entry_is_told_and_costs_no_other() -> None:
    data = b'{"log":{"entries":[{"request":{"method":"GET"}},{"CANARY"},{},{"a":1,},{"b":2}]}}'
    problems: list[str] = []
    flows = list(read_har(io.BytesIO(data), "x.har", problems.append))
    assert [flow.method for flow in flows] == ["GET", "", ""]
    assert problems == [
        "x.har: entry 1 is damaged: it is no valid JSON",
        "x.har: entry 3 is damaged: it is no valid JSON",
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"log":[]}',
        b'[{"log":{"entries":[{}]}}]',
        b"}}]]",
        b'"',
        b"\\",
    ],
)
def test_what_is_no_har_is_none(data: bytes) -> None:
    assert not is_har(data)
    with pytest.raises(ShapeError, match=r"no log\.entries"):
        list(read_har(io.BytesIO(data), "x", pytest.fail))


@pytest.mark.parametrize(
    "part",
    [
        b"\\",
        b'\\"',
        b'"',
        b"{",
        b"[",
        b"{}",
        b"{},",
        b'"a":{},',
        b"]",
        b" ",
        b'{"log":',
        b"\\u0022",
    ],
)
@pytest.mark.parametrize("around", [b"", b'{"log":{"entries":[', b'{"log":{"entries":[{"a":"'])
def test_hostile_text_takes_linear_time(part: bytes, around: bytes) -> None:
    data = around + part * (600_000 // len(part))
    began = time.process_time()
    for _ in Splitter().split(io.BytesIO(data), limit=1 << 20):
        pass
    assert time.process_time() - began < 10  # were it quadratic: many minutes
