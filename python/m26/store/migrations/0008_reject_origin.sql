-- What of its page a rejected item needs to be read again: platform, command, status and times, and
-- the server's own time from the envelope. NULL: there is no page, or an older m26 refused it.
ALTER TABLE m26.reject ADD COLUMN origin jsonb;
