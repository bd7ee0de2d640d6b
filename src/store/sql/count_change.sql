INSERT INTO change_count (name, number) VALUES ('settings', 1)
ON CONFLICT (name) DO UPDATE SET number = change_count.number + 1
