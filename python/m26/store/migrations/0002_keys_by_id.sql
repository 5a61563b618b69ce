-- squawk-ignore-file adding-serial-primary-key-field, require-concurrent-index-deletion, constraint-missing-not-valid, ban-drop-constraint
-- The runner has the database to itself, before the first batch of a start.

-- An auction's id tells it apart in nearly every comparison; its platform first is the same word each
-- time, and a text. The keys are of the same columns as before.

ALTER TABLE m26.auction
    DROP CONSTRAINT auction_pkey,
    ADD CONSTRAINT auction_pkey PRIMARY KEY (auction_id, platform);

DROP INDEX m26.auction_event_auction_idx;
CREATE INDEX auction_event_auction_idx ON m26.auction_event (auction_id, platform);
