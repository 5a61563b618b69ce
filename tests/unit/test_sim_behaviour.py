"""How the simulated upstream behaves: what the command offers is what there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import pytest

from m26.cli.sim import House, Upstream
from m26.errors import UsageError
from m26.sim.behaviour import DEFAULT, MEMBERS, VARIANTS, Behaviour, variant
from m26.sim.tempo import Tempo


def test_the_command_offers_every_variant_and_every_member(m26: Callable[..., Any]) -> None:
    assert [field.name for field in fields(Upstream)] == ["variant", *MEMBERS]
    assert asdict(House()) == asdict(Tempo())
    words = m26("sim", "--help").out.replace("\n", " ").replace("│", " ").split()
    assert {f"{name}," for name in VARIANTS} - set(words) == {"ending-paging-ignored,"}, "the last"
    assert "ending-paging-ignored." in words


def test_a_variant_is_a_start_that_options_change() -> None:
    assert Upstream().behaviour() == variant("demo") == Behaviour(visible=900)
    given = Upstream(variant="ended-error", batch=7, loss=0.25)
    assert given.behaviour() == Behaviour(ended="error", batch=7, loss=0.25)
    with pytest.raises(UsageError, match="unknown variant 'odd'"):
        Upstream(variant="odd").behaviour()


@pytest.mark.parametrize(
    ("name", "value"),
    [("loss", float("nan")), ("visible", -1), ("page", True), ("truncate", None), ("batch", "9")],
)
def test_a_number_is_one_and_within_its_bounds(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        DEFAULT.changed({name: value})


def test_only_recall_may_be_for_ever() -> None:
    assert variant("recall-1h").changed({"recall": None}) == DEFAULT
