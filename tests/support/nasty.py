"""Reports that are hard to keep as they are, as bodies of `POST /api/report-error`."""

import json

LONG = 2**22 - 1_000  # bytes: nearly `max_body_bytes`

NASTY: dict[str, bytes] = {
    "lone surrogate": rb'{"worker_id":"w","message":"lone \ud800 here"}',
    "lone surrogate in an unknown field": rb'{"worker_id":"w","message":"m","more":"\udfff"}',
    "lone surrogate in an unknown name": rb'{"worker_id":"w","message":"m","\ud800":1,"event_id":null}',
    "NUL": rb'{"worker_id":"w\u0000","message":"a\u0000b","type":"\u0000"}',
    "huge numbers": b'{"worker_id":"w","message":"m","whole":123456789012345678901234567890,"real":1e400,"exact":1.10}',
    "NaN": b'{"worker_id":"w","message":"m","not":NaN,"much":-Infinity}',
    "line breaks between": b'\r\n{\r\n\t"worker_id": "w",\n  "message": "m" }\n',
    "blanks": b' { "worker_id" : "w" , "message" : "m" , "event_id" : "e" } ',
    "line breaks within": rb'{"worker_id":"w","message":"a\r\nb\nc\rd\u2028e","traceback":"x,\"y\",\n,,"}',
    "quotes": rb'{"worker_id":"\"","message":"\"\"","type":"' rb"'" rb'","error_category":"\\\""}',
    "empty fields": b'{"worker_id":"w","message":"m","type":"","traceback":"","timestamp":"","system_context":{},"a":[]}',
    "formulas": b'{"worker_id":"=1+1","message":"=cmd|x","type":"-1","event_id":"@e","error_category":"+1"}',
    "numbers for texts": b'{"worker_id":17,"message":["a","b"],"event_id":18,"type":1.0}',
    "texts like numbers": b'{"worker_id":"017","message":"1e3","event_id":"0","type":"NaN","timestamp":"N/A"}',
    "nested": b'{"worker_id":"w","message":"m","deep":' + b'{"a":[' * 30 + b"1" + b"]}" * 30 + b"}",
    "names twice": b'{"worker_id":"w","message":"a","message":"b","event_id":"1","event_id":"2"}',
    "escaped names": rb'{"work\u0065r_id":"w","m\u0065ssage":"m","\u0065vent_id":"esc"}',
    "our own name": b'{"worker_id":"w","message":"m","error_visualization":[1, 2]}',
    "our own name, likewise": b'{"worker_id":"w","message":"m","error_visualization":{"sent":"x"}}',
    "long names": json.dumps({"worker_id": "ü" * 300, "message": "€" * 9_000, "type": "\U0001f600" * 300}).encode(),
    "nearly too long": b'{"worker_id":"w","message":"m","traceback":"%s"}' % (b"x" * LONG),
    "terminal": rb'{"worker_id":"w","message":"\u001b[31mred\u001b[0m"}',
    "no message": b'{"worker_id":"w","type":"T"}',
    "unreadable time": b'{"worker_id":"w","message":"m","timestamp":"yesterday"}',
    "local time": b'{"worker_id":"w","message":"m","timestamp":"%d-11-20T12:00:00"}',
    "epoch": b'{"worker_id":"w","message":"m","timestamp":1764000000.25}',
    "nanoseconds": b'{"worker_id":"w","message":"m","timestamp":"2025-11-24T16:00:00.123456789+01:00"}',
    "mail": b'{"worker_id":"w","message":"m","timestamp":"Mon, 24 Nov 2025 16:00:00 +0100"}',
    "a day": b'{"worker_id":"w","message":"m","timestamp":"2025-11-24"}',
    "far future": b'{"worker_id":"w","message":"m","timestamp":"9999-12-31T23:59:59Z"}',
}
NASTY["local time"] %= 2025
