"""Who may do what: scopes, users and tokens. Nothing here knows of HTTP requests."""
