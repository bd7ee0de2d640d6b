SELECT coalesce(max(last_ms), 0) FROM book
