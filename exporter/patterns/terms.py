"""Words that hold a digit and still name a thing: types of numbers, operations, error names. Masking keeps them."""

import re
from typing import Final

# A field is a term if it is one of these, after any dotted or `::` prefix without digits.
_TERM: Final = re.compile(
    r"""(?:[A-Za-z_]++\.)*+
    (?:
      (?i:b?float|[ui]{0,2}nt|complex|bf|fp|tf|double|bool|q?u?int)(?:4|8|16|32|64|128)(?:_t)?      # int64, float16, bf16
      | [A-Za-z_]*?[A-Za-z][123][dD](?:[A-Z_][A-Za-z_]*)?                                           # conv2d, BatchNorm1d
      | (?i:utf-?(?:8|16|32)|sha-?(?:1|256|384|512)|md5|base64|ipv[46]|x86(?:_64)?|(?:amd|arm|win|x)(?:32|64)|http/?[23]
        |tlsv?1(?:\.\d)?|sslv[23]|oauth2|p2p|h2|ext[34]|s3|k8s|e2e|l[123]|e2big|stage[0-9]|latin-?1)
      | (?:[A-Za-z]\w*\.)*+[A-Za-z]\w*(?:Error|Exception|Warning|Failure|Timeout)                   # SSLV3Error, a.b2.XError
      | [A-Z]{3,}\d{0,2}(?:_[A-Z]{2,}\d{0,2})++                                                      # ERR_HTTP2_PROTOCOL_ERROR
      | test_[A-Za-z](?:[A-Za-z_]|\d{1,2}(?!\d))*+                                                   # a test's name
      | lib[A-Za-z_+-]++\d{0,2}[A-Za-z_]*+\.so(?:\.\d++)*+                                             # libcudnn.so.8
    )""",
    re.VERBOSE,
)


def is_term(field: str) -> bool:
    """Returns whether `field`, which holds a digit, is a word that carries meaning."""
    return len(field) < 120 and (field[0].isalpha() or field[0] == "_") and _TERM.fullmatch(field) is not None
