-- Auctions, by their ids, that may have ended before outcomes were inferred, and have none: from the
-- first that is still to be looked at. NULL: there is none such.
ALTER TABLE m26.stream_head ADD COLUMN bygone int8range;
UPDATE m26.stream_head AS h SET bygone = int8range(a.first, a.last, '[]')
FROM (SELECT min(auction_id) AS first, max(auction_id) AS last FROM m26.auction) AS a
WHERE a.first IS NOT NULL;
