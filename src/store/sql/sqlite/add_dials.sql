INSERT OR FAIL INTO dial (number, at_ms, lead_id, token)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each($1)
