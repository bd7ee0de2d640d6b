SELECT coalesce(max(touch_key), 0) FROM touch
