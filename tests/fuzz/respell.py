"""A JSON text and a lot in, the same text with a few things changed, mostly still JSON.

Texts are changed, not values: what a parser would lose (a name twice, ``-0``, escapes, white
space, the order of members) is what is varied.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_PLAIN = re.compile(rb"[a-zA-Z0-9_ ]")
_VALUES = (
    b"""null true false 0 -0 1 2 -1 -31 7 100 2147483647 2147483648 -2147483649 1.0 1.00 1e5 1E+2
    1e-7 0.1 -0.0 1e400 1e-400 1e-401 1e-20000 1e0000000401 9223372036854775807 9223372036854775808
    -9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616
    "" "0" "2" "x" "null" "\\ud83d\\ude00" "\\u0041" "\xc3\xa9" "a\\/b" "\\\\" "\\"" "{" "}" "]"
    "\x01" "\\u0000" "\\ud800" "\\udc00\\ud800" {"\\u0000":1} 1e20000
    [] {} [[]] [{}] {"":0} {"a":1,"a":1} {"a":1,"\\u0061":2} {"b":1,"a":2}"""
).split()
_BROKEN = (
    b"""01 +1 .5 1. NaN - 1e "\\u00" "\xff" "\xed\xa0\x80" [1,] {"a"}
    {,} tru"""
).split()
_TELLING = {
    name: values.split(b",")
    for name, values in {
        b'"auctionId"': b"0,1,-1,9223372036854775807",
        b'"cardId"': b"0,1,-1,8,1e1",
        b'"postingTime"': b"946684799,946684800,1787407999,1787408000,4102444799,4102444800",
        b'"secondsRemaining"': b"-1,0,31622400,31622401",
        b'"numberOfBids"': b"0,1,2147483647,2147483648",
        b'"buyoutPrice"': b"0,1,-1,null",
        b'"nextBid"': b"100,150",
        b'"responseTime"': b"946684799999999,946684800000000,1790000300000000,1790000301000000,1.5",
        b'"acquisitionTimestamp"': b"0,-1,946684799999999,946684800000000,1.5,null,true",
        b'"cardInstanceId"': b'0,-1,1.5,null,false,"1"',
        b'"auctionStatus"': b'"ENDED","AUCTIONSTATUS_","AUCTIONSTATUS_AUCTIONSTATUS_X","\xc4\xb0",'
        b'"%s","%s"' % (b"x" * 64, b"\xc3\xa9" * 33),
        b'"type"': b'"CARDTYPE_","CARDTYPE_CARDTYPE_X","X","",0',
        b'"firstName"': b'""," ","\xc2\xa0x","\\u2003","\\u001cx",0',
        b'"secondName"': b'""," ","x\xc2\xa0",null',
        b'"position"': b"0,21,-1,2147483648,14.0",
        b'"weight"': b"1.5,1.50,15e-1",
        b'"uiErrorCode"': b'0,-0,2,"","0","2",null,false,0.0',
        b'"success"': b"true,false,null,0",
    }.items()
}
"""Values on both sides of a rule, by name."""
_NAMES = (
    b"""auctionId card cardId currentBid nextBid numberOfBids buyoutPrice postingTime cardData value
    auctionStatus secondsRemaining minListingPrice staticCardData cardInstanceId cardState isBound
    acquisitionTimestamp acquisitionDateString firstName secondName condensedName position type
    details responseData responseTime uiErrorCode success error errortdf code message captchaUrl
    responseInfo truncated programName novelty \\u0063ard card\\u0049d d\\u0065tails a"""
).split()
_PIECES = (
    b'\\u0000 \\ud800 \\udc00 \\ud83d\\ude00 \\u00e9 \\u0061 \\u000a \\n \\/ \\\\ \\" \\x \\u12 x '
    b"\xc3\xa9 \xf0\x9f\x98\x80 \xff \xc3 \x7f \x00 \x01 \x1f [ { } , : "
).split(b" ")
_SPACES = (b" ", b"\t", b"\n", b"\r\n", b"  \n\t ", b"\x0b", b"\xc2\xa0")
_DEPTHS = (1, 2, 3, 10, 55, 60, 64, 70, 200)


@dataclass(slots=True)
class Node:
    """Where a value stands in its text."""

    begin: int
    """Of its name, or its own where it has none."""
    start: int
    stop: int = 0
    depth: int = 0
    inside: list[Node] = field(default_factory=list)


Edit = Callable[[random.Random, bytes, Sequence[Node], bytes], bytes]


def respelled(rng: random.Random, text: bytes, donor: bytes) -> bytes:
    """The text after a few changes; values of the donor may stand in it."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 6))):
        found = nodes(text)
        if not found:
            return text
        text = rng.choice(_EDITS)(rng, text, found, donor)
    return text


def nodes(text: bytes) -> list[Node]:
    """Every value of the text; none if it is too far from JSON to say."""
    found: list[Node] = []
    holders: list[Node] = []
    name: int | None = None
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in (b"}", b"]"):
            if not holders:
                return []
            holders.pop().stop = match.end()
        elif token == b":":
            if not holders or not holders[-1].inside:
                return []
            name = holders[-1].inside.pop().start
            found.pop()
        elif token != b",":
            start = match.start()
            begin, name = start if name is None else name, None
            node = Node(begin, start, match.end(), len(holders))
            found.append(node)
            if holders:
                holders[-1].inside.append(node)
            if token in (b"{", b"["):
                holders.append(node)
    return [] if holders else found


def _one(rng: random.Random, found: Sequence[Node]) -> Node:
    """A value of any depth: those of cards are most of all values, and not of all interest."""
    depth = rng.choice(sorted({node.depth for node in found}))
    return rng.choice([node for node in found if node.depth == depth])


def _set(rng: random.Random, text: bytes, found: Sequence[Node], _: bytes) -> bytes:
    node = _one(rng, found)
    return text[: node.start] + rng.choice(_VALUES) + text[node.stop :]


def _break(rng: random.Random, text: bytes, found: Sequence[Node], _: bytes) -> bytes:
    node = _one(rng, found)
    return text[: node.start] + rng.choice(_BROKEN) + text[node.stop :]


def _tell(rng: random.Random, text: bytes, found: Sequence[Node], _: bytes) -> bytes:
    """A value on either side of the rule for its name."""
    names = [(node, text[node.begin : node.start].rstrip(b": ")) for node in found]
    telling = [(node, _TELLING[name]) for node, name in names if name in _TELLING]
    if not telling:
        return text
    node, values = rng.choice(telling)
    return text[: node.start] + rng.choice(values) + text[node.stop :]


def _take(rng: random.Random, text: bytes, found: Sequence[Node], donor: bytes) -> bytes:
    node, others = _one(rng, found), nodes(donor) or found
    other = _one(rng, others)
    source = text if others is found else donor
    return text[: node.start] + source[other.start : other.stop] + text[node.stop :]


def _digit(rng: random.Random, text: bytes, found: Sequence[Node], _: bytes) -> bytes:
    numbers = [node for node in found if text[node.start : node.start + 1].isdigit()]
    if not numbers:
        return text
    node = _one(rng, numbers)
    number = text[node.start : node.stop]
    changes = (b"-" + number, number + b".0", number + b"e0", number + b"0", number[:-1] + b"7")
    return text[: node.start] + rng.choice(changes) + text[node.stop :]


def _members(rng: random.Random, text: bytes, found: Sequence[Node], donor: bytes) -> bytes:
    """One member or element gone, twice there, elsewhere, or beside a new one."""
    holders = [node for node in found if node.inside]
    if not holders:
        return text
    holder = _one(rng, holders)
    parts = [text[node.begin : node.stop] for node in holder.inside]
    at, to = rng.randrange(len(parts)), rng.randrange(len(parts) + 1)
    match rng.randrange(5):
        case 0:
            del parts[at]
        case 1:
            parts.insert(to, parts[at])
        case 2:
            parts.insert(to, parts.pop(at))
        case 3:
            rng.shuffle(parts)
        case _:
            name = b'"' + rng.choice(_NAMES) + b'":' if text[holder.start] == ord("{") else b""
            parts.insert(to, name + rng.choice((*_VALUES, donor[:2000])))
    kinds = text[holder.start : holder.start + 1], text[holder.stop - 1 : holder.stop]
    return text[: holder.start] + kinds[0] + b",".join(parts) + kinds[1] + text[holder.stop :]


def _rename(rng: random.Random, text: bytes, found: Sequence[Node], _: bytes) -> bytes:
    named = [node for node in found if node.begin < node.start]
    if not named:
        return text
    node = _one(rng, named)
    end = text.find(b'"', node.begin + 1)
    if end < 0:  # no name: white space before a last value
        return text
    return text[: node.begin + 1] + rng.choice(_NAMES) + text[end:]


def _space(rng: random.Random, text: bytes, found: Sequence[Node], _: bytes) -> bytes:
    """White space at one place, or around every value."""
    space = rng.choice(_SPACES)
    places = {rng.choice((node.begin, node.start, node.stop)) for node in found}
    if rng.random() < 0.8:
        places = {rng.choice(sorted(places))}
    for place in sorted(places, reverse=True):
        text = text[:place] + space + text[place:]
    return text


def _string(rng: random.Random, text: bytes, found: Sequence[Node], _: bytes) -> bytes:
    """A name or a string with something in it, or with a character spelled as an escape."""
    strings = [node for node in found if text[node.begin : node.begin + 1] == b'"']
    if not strings:
        return text
    node = _one(rng, strings)
    end = node.begin + 1 + max(0, text[node.begin + 1 : node.stop].find(b'"'))
    at = rng.randrange(node.begin + 1, end + 1)
    if rng.random() < 0.5 and _PLAIN.match(text, at):
        return text[:at] + b"\\u%04x" % text[at] + text[at + 1 :]
    return text[:at] + rng.choice(_PIECES) + text[at:]


def _wrap(rng: random.Random, text: bytes, found: Sequence[Node], _: bytes) -> bytes:
    node, depth = _one(rng, found), rng.choice(_DEPTHS)
    head, tail = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    value = head * depth + text[node.start : node.stop] + tail * depth
    return text[: node.start] + value + text[node.stop :]


_EDITS: tuple[Edit, ...] = (
    *(_set, _set, _tell, _tell, _tell, _break, _take, _digit, _members, _members),
    *(_rename, _space, _string, _string, _wrap),
)
