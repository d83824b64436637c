"""Makes alerts from error events and pushes them to Alertmanager, which groups, silences and routes them."""
