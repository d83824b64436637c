"""The verdict: one sentence and a colour that say how bad it is now. The rules are in `verdict.py`."""
