"""Secrets in reports are replaced before anything is stored or sent."""
