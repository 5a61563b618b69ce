"""A glance of the fuzzers of `make fuzz`, and that they find what is there to be found."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fuzz.run import FoundError, fuzz
from tests.fuzz.targets import TARGETS, Target


@pytest.mark.parametrize("name", TARGETS)
def test_a_glance_of_fuzzing_finds_nothing(name: str, seed: int, tmp_path: Path) -> None:
    done = fuzz(name, TARGETS[name], most=500, seed=seed, folder=tmp_path)
    assert done.inputs >= 500
    assert done.kinds > 10


def test_an_input_that_breaks_a_rule_is_saved_and_named(seed: int, tmp_path: Path) -> None:
    def strict(data: bytes) -> object:
        assert b"x" not in data.replace(b"xyz", b"")
        return len(data)

    target = Target(strict, lambda: [b'{"a":"xyz"}'])
    with pytest.raises(FoundError, match=f"seed {seed}") as caught:
        fuzz("broken", target, seconds=60, seed=seed, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    assert str(path) in str(caught.value)
    with pytest.raises(AssertionError):
        strict(path.read_bytes())


def test_an_input_that_takes_too_long_is_one_that_breaks_a_rule(seed: int, tmp_path: Path) -> None:
    def endless(_: bytes) -> object:
        while True:
            pass

    target = Target(endless, lambda: [b"x"])
    with pytest.raises(FoundError, match="TimeoutError"):
        fuzz("slow", target, seconds=60, seed=seed, folder=tmp_path, slow=0.2)
