"""Which errors are alerts, and the push of those alerts to Alertmanager. Grouping, silences and receivers are
Alertmanager's."""
