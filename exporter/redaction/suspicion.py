"""Searches the JSON of a report for places that may be secrets: one search with RE2, about 2 ns a byte.

The pattern is wider than the rules: it may hit where there is no secret, but each secret that a rule finds has a hit in
its JSON string or in the string of its key. JSON may write a character as an escape, such as `\\u0026` for `&`.
"""

from collections.abc import Sequence
from typing import Any, Final

from exporter.redaction.cards import SHAPE
from exporter.redaction.engine import compiled

_GAP: Final = r"(?:\s|\\[nrt])*"
_QUOTE: Final = r"(?:\\*[\"'`]|\\u002[27]|\])"
_ASSIGN: Final = r"(?:[:=>]|\\u003[aAdDeE])"
_AFTER_NAME: Final = (
    rf"(?:{_QUOTE}?{_GAP}{_ASSIGN}"  # password=, "password":, <password>
    rf"|{_QUOTE}\s*,"  # ("password", …; --password, …
    rf"|{_QUOTE}(?:{_GAP},?{_GAP}){_QUOTE}?value|{_GAP}value)"  # name: DB_PASSWORD, value: …
)
_PLACES: Final = (
    r"(?i:authorization|bearer\s|basic\s+[A-Za-z0-9+/]{8}|identified\s+by|password\s+\\*['\"]|sshpass|redis-cli|_auth)",
    r"(?i:token|secret|password|api key)\s+[\"'(\\]*[\w-]{20}",
    r"(?i:login\s+\S+\s+password)",
    r"(?:\s-u|--user|--proxy-user)(?:\s|=)",
    r":\\?/\\?/[^\s/?#\"'<>()\[\]{}|^`]+@",
    r"jdbc:oracle",
    r"(?:[?&]|\\u0026)(?:amp;)?(?i:[\w.-]*(?:sig|signature|key|code|auth))(?:=|\\u003[dD])",
    r"PRIVATE KEY|PuTTY-User-Key",
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}|AIza[\w-]{30}|GOCSPX-|ya29\.|gh[opsur]_[A-Za-z0-9]{30}|github_pat_|"
    r"gl(?:pat|dt|rt|cbt|ptt|ft|oas|soat|agent)-[\w.-]{20}|xox[a-z]-|xapp-\d|hooks\.slack\.com|webhooks(?:\\?/)\d|"
    r":AA[\w-]{33}|npm_[A-Za-z0-9]{36}|pypi-\w{20}|[rs]k_(?:live|test)_|whsec_|sk-\w|hf_[A-Za-z0-9]{30}|SG\.[\w-]{16}|"
    r"(?i:AccountKey|SharedAccess)|ev_\w{30}|eyJ[\w-]{8,}\.|hvs\.|dapi[0-9a-f]{32}|do[opr]_v1_|dckr_pat_|shp(?:at|ca|pa|ss)_|"
    r"glsa_|NRAK-|ATATT3|lin_api_|AGE-SECRET|tfp_\w{40}|rubygems_|sntrys_",
    rf"\b(?:{SHAPE})\b",
)
_EMAIL: Final = r"\w@[A-Za-z0-9-]"
_IP_ADDRESS: Final = r"\d\.\d{1,3}\.\d{1,3}\.\d|[0-9A-Fa-f]:(?:[0-9A-Fa-f]{0,4}:)+[0-9A-Fa-f]{0,4}"


def suspicion(keywords: str, more: Sequence[str] = (), *, emails: bool = False, ip_addresses: bool = False) -> Any:
    """Returns the pattern. `keywords` matches a part of each name of a secret; `more` are patterns of users."""
    places = [
        rf"[\s\"'`\[(,=:]--?[\w-]*(?:{keywords})[\w-]*\s",
        rf"(?:{keywords})[\w.-]*{_AFTER_NAME}",
        *_PLACES,
        *[f"(?:{one})" for one in more],
    ]
    places += [_EMAIL] if emails else []
    places += [_IP_ADDRESS] if ip_addresses else []
    return compiled("|".join(places))
