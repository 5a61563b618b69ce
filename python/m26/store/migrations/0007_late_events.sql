-- States that another collector had overtaken when they were stored: they are told all the same.
ALTER TABLE m26.auction_event ADD COLUMN late boolean NOT NULL DEFAULT false;
ALTER TABLE m26.sweep ADD COLUMN late integer NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW m26.event_json AS
SELECT
    seq,
    row_to_json(e)::text AS data
FROM (
    SELECT
        seq,
        kind,
        platform,
        auction_id,
        card_id,
        lpad(to_hex(card_version), 16, '0') AS card_version,
        card_instance_id,
        m26.iso(observed_at) AS observed_at,
        m26.iso(posted_at) AS posted_at,
        m26.iso(expires_at) AS expires_at,
        status,
        start_price,
        buyout_price,
        current_bid,
        next_bid,
        bids,
        median_price,
        min_price,
        max_price,
        outcome,
        outcome_via,
        evidence,
        confidence,
        final_price,
        late
    FROM m26.auction_event
) AS e;
