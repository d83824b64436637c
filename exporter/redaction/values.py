"""Decides whether the value of a secret's name is a secret. Pure functions on bytes.

Values that are none: placeholders (`****`, `${DB_PASSWORD}`, `None`), the words of a message about a secret (`password:
required`), types and code (`password = getpass()`).
"""

import re
from typing import Final

MAX_NOTHING: Final = 200  # bytes of a placeholder, and of a message that are read
_NOTHING: Final = re.compile(
    rb"""(?ix)
      [*\xb7\xe2\x80\xa2.x_-]*+                               # ****, ...., xxxx, also bullets in UTF-8
    | (?:none|null|nil|undefined|unset|empty|nan|n/a|na|true|false|yes|no|on|off|inherit|hidden|masked|redacted|removed
        |filtered|secret|password|passwd|token|todo|tbd)
    | [\[(<]\s*+(?:none|empty|not\ set|hidden|masked|redacted|filtered|removed|secret|sensitive|protected|null|nil
        |unknown|set|unset|[a-z _-]{0,40}(?:password|token|key|secret))[^\])>]*+[\])>]?
    | <[^<>\s]*+>? | \[redacted[^\]]*+\]?+
    | \\?\$\{\{?[^{}]*+\}?\}? | \$\([^()]*+\)? | \{\{?[^{}]*+\}?\}? | \$[a-z_]\w*+ | %\(?[\w]*+\)?[srdq]? | %[\w]++%
    | \#\{[^{}]*+\} | [:@?][a-z_]\w*+ | \?
    | (?:[:@/\ ]?(?:\{[\w.()]++\}|%s))++
    | (?:your|my|the|some|insert|enter)[-_ ][a-z_ -]{0,40} | [^\s]{0,60}[-_]here
    """
)
# Words of messages about a secret. A value that is one of them, or has one among other words, is no secret.
_SAID: Final = frozenset(
    b"a absent already an and are argument arguments at authentication be blank but can cannot changed check "
    b"common could default denied deprecated does empty error expected expired failed falsch field for flag "
    b"found from hashed header in include incorrect invalid is it key length long lost match matches mismatch "
    b"missing mode must need needed needs not of ok omit only option options optional or parameter policy prompt "
    b"protected provided reset rejected required requerida revoked rotated short should strict supplied that the "
    b"this to too unauthorized unknown unsupported updated use used value was weak when with wrong you".split()
)
_TYPES: Final = frozenset(
    b"str string bytes int integer bool boolean float number any object char text varchar secretstr secretbytes "
    b"optional option self type interface unicode buffer password secret token credentials".split()
)
_PLAIN_WORD: Final = re.compile(rb"[A-Za-z]++(?:[-'][A-Za-z]++)*+")
_IDENTIFIER: Final = re.compile(rb"[&*$]{0,2}[A-Za-z_]\w*+(?:(?:\.|->|::|\?\.)\w++)*+")
_CALL: Final = re.compile(
    rb"(?:await |new |not |lambda|function|\$?[A-Za-z_][\w.]*+(?:(?:->|::|\?\.)\w++)*+[!?]?[(\[{])"
)
_TEMPLATE: Final = re.compile(rb"\$\{|\{\w|%[(]|<[a-z]", re.IGNORECASE)
_OBJECT: Final = re.compile(
    rb"(?:self|this|os|req|request|res|settings|config|cfg|env|process|kwargs|args|params|opts|options|secrets|getpass|"
    rb"data|body|response|ctx|context|conf|app|crate|std|github|event|props|state)(?:\.|->|::)[A-Za-z_]"
)
_KEYWORD: Final = re.compile(rb"passw|passphrase|pwd|secret|token|key|credential|auth", re.IGNORECASE)
_LOWER_WORDS: Final = re.compile(rb"[a-z]++(?:[-./_][a-z]++)*+")  # the name of a secret, such as tls-cert
_PATH: Final = re.compile(rb"(?:~|\.{0,2}/[\w.-]++|[A-Za-z]:\\)[\w./\\ -]*+")
RANDOM: Final = ("token", "session", "cookie", "authorization")  # rules whose secrets are made by programs
_DIGIT: Final = re.compile(rb"[0-9]")
_CAMEL: Final = re.compile(rb"(?:[A-Z]?[a-z]++)*+")
_NUMBERED: Final = re.compile(rb"[A-Za-z_.-]*+\d*+[A-Za-z_.-]*+")  # a word with a number, such as worker-17


def is_nothing(value: bytes) -> bool:
    """Returns whether a value stands for no secret: it is empty or a placeholder, or it was redacted."""
    if not value.strip() or b"[redacted:" in value:
        return True
    return len(value) < MAX_NOTHING and _NOTHING.fullmatch(value) is not None


def is_said(value: bytes) -> bool:
    """Returns whether a value is a message about a secret, such as `must be at least 8 characters`."""
    words = value[:MAX_NOTHING].replace(b"'", b"").lower().rstrip(b".!,:;)").split()
    if len(words) == 1:
        return words[0] in _SAID
    return any(word.strip(b".,:;!()") in _SAID for word in words)


def is_random(value: bytes) -> bool:
    """Returns whether a value looks made by a program: letters mixed with digits, or many letters of mixed case."""
    if len(value) < 8 or b" " in value or _PATH.fullmatch(value):
        return False
    letters = sum([1 for one in value if 65 <= one <= 90 or 97 <= one <= 122])
    digits = sum([1 for one in value if 48 <= one <= 57])
    if digits and letters:
        return letters > 1 and (len(value) >= 20 or not _NUMBERED.fullmatch(value))
    return letters >= 20 and not digits and _CAMEL.fullmatch(value) is None and value.isalpha() and not value.isupper()


def is_secret(rule: str, name: bytes, value: bytes) -> bool:
    """Returns whether a value in quotes, or the value of a JSON key, is the secret that the rule expects."""
    if is_nothing(value) or is_said(value) or value.lower().rstrip(b"?") in _TYPES:
        return False
    if rule in RANDOM:
        return is_random(value) or (rule == "authorization" and b" " in value and is_random(value.split()[-1]))
    if rule == "password" and _PATH.fullmatch(value):  # PWD is a folder
        return not (name.lower().endswith(b"pwd") or value.count(b"/") + value.count(b"\\") > 1)
    if _IDENTIFIER.fullmatch(value) and _KEYWORD.search(value) and not _DIGIT.search(value):
        return False  # the name of a field, as in `{"password": "id_password"}`
    return value != name.rpartition(b".")[2] and not (len(value) < 4 and rule in ("secret", "api-key", "credential"))


def is_secret_word(rule: str, name: bytes, value: bytes, after: bytes, *, spaced: bool, colon: bool) -> bool:
    """As `is_secret`, for a value without quotes. `after` is the text that follows it. `spaced`: a blank comes before
    the value; `colon`: the name ends with a colon, not with `=`."""
    if not is_secret(rule, name, value) or _is_code(value, after, spaced=spaced, colon=colon):
        return False
    if not (colon and spaced):
        return not (colon and after[:1] in (b'"', b"'") and _LOWER_WORDS.fullmatch(value))  # "passwd:name"
    # In `password: hunter2` and `password: wrong for user ci` the next words tell a value from a sentence.
    if (value.isdigit() and rule != "password") or (rule == "secret" and _LOWER_WORDS.fullmatch(value)):
        return False
    if rule == "credential" and _IDENTIFIER.fullmatch(value):
        return False
    return not (_PLAIN_WORD.fullmatch(value.rstrip(b".!?")) and (after[:1] == b" " and after[1:2].isalpha()))


def _is_code(value: bytes, after: bytes, *, spaced: bool, colon: bool) -> bool:
    if (
        value[:1] == b"("
        or value.lower().lstrip(b"&*").rstrip(b"?") in _TYPES
        or _CALL.match(value + after[:1])
        or _OBJECT.match(value)
    ):
        return True
    if _TEMPLATE.search(value):
        return True
    if not _IDENTIFIER.fullmatch(value) or _DIGIT.search(value):
        return False
    if _KEYWORD.search(value):  # `password=db_password`
        return True
    return spaced and not colon and (b"." in value or b"_" in value or value[:1] in b"$&*")
