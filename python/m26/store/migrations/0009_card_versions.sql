-- A card's version is 16 hex digits in JSON and a bigint in tables: from one to the other, both ways.

-- Of JSON's digits the number, by which m26.card has its key; NULL for anything else.
CREATE FUNCTION m26.card_version(digits text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT CASE WHEN digits ~ '^[0-9a-fA-F]{16}$' THEN ('x' || digits)::bit(64)::bigint END
$$;

CREATE OR REPLACE VIEW m26.card_latest AS
SELECT DISTINCT ON (card_id)
    *,
    attributes #> '{cardData,value}' AS ratings,
    lpad(to_hex(version), 16, '0') AS version_hex
FROM m26.card
ORDER BY card_id, first_seen DESC, version;
