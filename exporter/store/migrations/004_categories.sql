-- Categories have one spelling: upper case, no blanks around it. Blanks of sensors are no measurements.
UPDATE errors SET error_category = upper(trim(error_category, E' \t\r\n'))
WHERE error_category <> upper(trim(error_category, E' \t\r\n'));
UPDATE rollup SET error_category = upper(trim(error_category, E' \t\r\n'))
WHERE error_category <> upper(trim(error_category, E' \t\r\n'));
UPDATE counters SET error_category = upper(trim(error_category, E' \t\r\n'))
WHERE error_category <> upper(trim(error_category, E' \t\r\n'));
UPDATE errors SET cpu_percent = NULL WHERE cpu_percent NOT BETWEEN 0 AND 100;
UPDATE errors SET memory_percent = NULL WHERE memory_percent NOT BETWEEN 0 AND 100;
UPDATE errors SET disk_percent = NULL WHERE disk_percent NOT BETWEEN 0 AND 100;
UPDATE errors SET gpu_celsius = NULL WHERE gpu_celsius NOT BETWEEN -50 AND 150;
