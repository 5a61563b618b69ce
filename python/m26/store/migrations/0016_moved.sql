-- Auctions whose row was written without an event, until `m26.store.rollups` has taken note of it: their end
-- moved, or their card has another version.
CREATE TABLE m26.auction_moved (
    platform text NOT NULL,
    auction_id bigint NOT NULL
);
