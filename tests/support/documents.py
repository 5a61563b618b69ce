"""Documents against the types that spell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from m26.cli import (
    auth_documents,
    checks,
    database_documents,
    documents,
    journal_documents,
    market_documents,
    plan_documents,
)
from m26.cli.replay import ReplayView
from m26.market import views
from m26.models import EventView
from m26.status.views import StatusView
from m26.web.schema import schema_of


def _properties(validator: Any, members: Any, document: Any, schema: Any) -> Iterator[Any]:
    yield from Draft202012Validator.VALIDATORS["properties"](validator, members, document, schema)
    if "required" not in schema or not isinstance(document, dict):
        return
    wanted = [name for name in members if name in document]
    if list(document) != wanted:
        yield ValidationError(f"its members are {list(document)}, not {wanted}")


_Strict = extend(Draft202012Validator, {"properties": _properties})


def strict(kind: Any) -> Any:
    """Validates documents of a type; refuses other members, and members in another order."""
    named: dict[str, Any] = {}
    root = schema_of(kind, named)
    return _Strict({**root, "components": {"schemas": named}})


def check_printed(kind: Any, document: Any) -> None:
    """A document of a command: one of a type of `DOCUMENTS`, behind the version that all have."""
    assert list(document)[:1] == ["schema_version"], document
    assert document["schema_version"] == 1
    validator = strict(kind)
    if not validator.is_valid(document):  # most types are without it: the printer puts it there
        validator.validate({n: v for n, v in document.items() if n != "schema_version"})


DOCUMENTS: dict[str, Any] = {
    "run": StatusView | documents.PlanView,
    "status": documents.HomeView,
    "top": plan_documents.TopView,
    "upstream show": plan_documents.UpstreamView,
    "plan explain": plan_documents.ExplainView,
    "plan forecast": plan_documents.ForecastView,
    "plan focus": plan_documents.FocusView,
    "doctor": checks.DoctorView,
    "tail": EventView,
    "resume": documents.ResumeView,
    "normalize": documents.NormalizeView,
    "replay": ReplayView,
    "sim": documents.SimulatorView,
    "auth import": auth_documents.ImportView,
    "auth login": documents.AddressView | auth_documents.LoginView,
    "auth status": auth_documents.AccountsView,
    "auth rebuild": auth_documents.RebuildView,
    "auth forget": auth_documents.ForgetView,
    "auth rekey": auth_documents.RekeyView | auth_documents.NewKeyView,
    "auth addon": auth_documents.AddonView,
    "config show": documents.SettingsView,
    "rejects ls": documents.RejectsView,
    "rejects show": documents.RejectView,
    "rejects retry": documents.RetryView,
    "rejects drop": documents.DropView,
    "journal ls": journal_documents.JournalView,
    "journal export": journal_documents.ExportView,
    "journal ack": documents.JournalAckView,
    "journal new-id": documents.JournalNewIdView,
    "market floor": views.LatestView,
    "market deals": views.DealsView,
    "market diff": views.DiffView,
    "market movers": views.MoversView,
    "market show": views.CardView,
    "market sales": views.SalesView,
    "market depth": views.AsksView,
    "market index": views.IndexView,
    "market basket": views.BasketView,
    "market calibration": market_documents.CalibrationView,
    "market value": market_documents.ValuesView,
    "db migrate": database_documents.MigrateView,
    "db status": database_documents.DatabaseView,
    "db prune": database_documents.PruneView,
    "embedded status": documents.EmbeddedView,
    "embedded dsn": documents.EmbeddedAddressView,
    "embedded start": documents.EmbeddedAddressView,
    "embedded stop": documents.EmbeddedStopView,
}
"""By command; of several types the one that its options ask for. A psql shell prints none."""
