-- Which migrations a writer must know: the number of the newest one. An m26 that is older than what
-- stands here stores nothing. The runner writes it with each migration.

ALTER TABLE m26.stream_head ADD COLUMN schema_epoch integer NOT NULL DEFAULT 0;
