-- What of the history is pruned: days before `pruned_before` are final, events up to `pruned_to` are gone
-- or going, with their auctions. `pruned_head` was the newest event then: what is told of such days after
-- it is a surprise. NULL and 0: nothing is.

ALTER TABLE m26.stream_head
    ADD COLUMN pruned_before timestamptz,
    ADD COLUMN pruned_to bigint NOT NULL DEFAULT 0,
    ADD COLUMN pruned_head bigint NOT NULL DEFAULT 0;
