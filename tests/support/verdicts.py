"""A service whose verdict a test says."""

import datetime as dt
import json
from typing import Any

from conftest import InProcess


class Verdicts:
    """Says what a service's verdict is to be, over HTTP and to each WebSocket client."""

    def __init__(self, service: InProcess, data: dict[str, Any]) -> None:
        self.live, self.data, self.publish = service.service.live, data, service.service.live.publish
        self.live.publish = lambda *_: None  # type: ignore[method-assign]
        self.live.topics["verdict"] = self.encoded
        service.service.judge.encoded = self.encoded  # type: ignore[method-assign]

    @classmethod
    async def of(cls, service: InProcess) -> "Verdicts":
        return cls(service, await service.get("/api/verdict"))

    def encoded(self) -> bytes:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps(self.data | {"checked_at": now, "as_of": now}).encode()

    def say(self, rule: str, colour: str, severity: str = "", pieces: list[dict[str, str]] | None = None) -> None:
        pieces = pieces or [{"text": f"{rule}."}]
        self.data |= {"rule": rule, "colour": colour, "severity": severity or colour,
                      "sentence": "".join(piece["text"] for piece in pieces), "pieces": pieces}  # fmt: skip
        self.publish("verdict", self.encoded())
