"""The auction-house simulator: a market, a gateway that speaks the wire, a ledger of the truth."""
