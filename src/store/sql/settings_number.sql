SELECT number FROM change_count WHERE name = 'settings'
