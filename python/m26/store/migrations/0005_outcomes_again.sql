-- Outcomes that an older rule decided are looked at once more, from the newest event to the first:
-- NULL: nobody has begun. A migration that comes with a newer rule sets it to NULL again.
ALTER TABLE m26.stream_head ADD COLUMN uncorrected bigint;
