-- Who moved a cursor last, and the checksum of the record before it: two copies of a journal are told
-- apart by them. NULL in rows of before, and in those of replayed files, which are named by content.

ALTER TABLE m26.ingest_cursor
    ADD COLUMN writer text,
    ADD COLUMN host text,
    ADD COLUMN since timestamptz,
    ADD COLUMN checksum bigint;
