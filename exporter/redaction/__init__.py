"""Redaction: replaces secrets in a report before anything of it is stored or sent.

    {"message": "login of ci failed: password=hunter2"}
    {"message": "login of ci failed: password=[redacted:password]"}

`redact.py` is the entry. It searches the JSON of a report once for whatever may be a secret (`suspicion.py`). Most
reports have nothing of the kind and stay as they are. In the others, it rewrites the strings that may have a secret
(`structure.py`): by the names of their keys (`names.py`, `values.py`) and by rules for texts (`texts.py`, `named.py`,
`forms.py`, `cards.py`). `rules_file.py` reads the rules of users. All patterns take linear time (`engine.py`).
"""
