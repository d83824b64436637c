"""Decides whether the name of a key, a variable, a header or a flag is that of a secret. Pure functions.

A name is split into words: `DB_PASSWORD`, `dbPassword` and `db.password` end with "password". Its last word decides, so
`password_length` names no secret.
"""

import re
from functools import lru_cache
from typing import Final


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD: Final = re.compile(r"[A-Z]++(?![a-z])|[A-Z]?[a-z]++|[0-9]++")
_PASSWORDS: Final = ("password", "passwd", "passphrase", "passwort", "passcode", "kennwort", "pwd")
_PASS_OF: Final = word_set(
    "admin ansible auth become db ftp http key ldap login mail mysql pg proxy redis root smtp ssh store sudo user"
)
_KEY_OF: Final = word_set(
    "access account admin api app auth consumer deploy encrypt encryption hmac license master private secret "
    "service shared signing ssh storage subscription"
)
# Words that may follow the word that decides: `PASSWORD_OLD`, `password2`, `SECRET_KEY_BASE`, `token_value`.
_AFTER: Final = word_set(
    "again base b64 base64 confirm confirmation current default dev encoded encrypted hash hashed hex new old "
    "plain prod raw repeat staging str string text value"
)
# Before `token`, these words say that it is part of a text, of a list or of a vocabulary.
_TOKEN_OF: Final = word_set(
    "bos cancellation cls continuation current cursor end eos expected first image input invalid last lookahead "
    "mask max min new next num output pad page pagination prev previous prompt sep special start stop sync test "
    "unexpected unk"
)
_SESSIONS: Final = frozenset(("sessionid", "jsessionid", "phpsessid", "aspsessionid"))


@lru_cache(8_192)
def rule_of(name: str) -> str | None:
    """Returns the rule for the value of a name: password, secret, token, api-key, credential, authorization, cookie or
    session. Returns None if the name is not that of a secret."""
    if name.partition("_")[0] == "test" or len(name) > 200:  # a test that is named after a secret
        return None
    words = [word.lower() for word in _WORD.findall(name.rstrip(".").rpartition(".")[2])]
    while len(words) > 1 and (words[-1] in _AFTER or words[-1].isdigit()):
        words.pop()
    if words[-2:] == ["secret", "id"]:
        words.pop()
    return _of_words(words) if words else None


def _of_words(words: list[str]) -> str | None:
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    rule: str | None = None
    if last == "authorization":
        rule = "authorization"
    elif last in ("cookie", "cookies"):
        rule = "cookie"
    elif "".join(words) in _SESSIONS:
        rule = "session"
    elif last.removesuffix("s").endswith(_PASSWORDS) or _is_pass(last, before):
        rule = "password"
    elif last.endswith(("secret", "secrets")):
        rule = "secret"
    elif last.endswith(("credential", "credentials")) and before not in ("application", "client"):
        rule = "credential"
    elif last.endswith(("apikey", "apikeys", "accesskey", "secretkey", "privatekey", "accountkey")):
        rule = "api-key"
    elif last in ("key", "keys") and before in _KEY_OF:
        rule = "secret" if before == "secret" or "secret" in words else "api-key"
    elif last == "auth" or (last.endswith(("token", "jwt")) and before not in _TOKEN_OF and "public" not in words):
        rule = "token"
    return rule


def _is_pass(last: str, before: str) -> bool:
    if last in ("pass", "pw"):
        return before in _PASS_OF or not before
    return last.endswith("pass") and last.removesuffix("pass") in _PASS_OF
