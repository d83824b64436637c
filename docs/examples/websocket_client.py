"""Prints each error as it is stored, and misses none while it reconnects.

    pip install aiohttp
    python websocket_client.py http://localhost:8080

Where access control is on, set ERROR_VISUALIZATION_TOKEN to a token with the scope `read`.
"""

import asyncio
import contextlib
import json
import os
import sys

import aiohttp

PAUSE = 2.0  # seconds between two attempts to connect


async def errors(url):
    """Yields the errors that are stored from now on, each once. Connects again for ever, and then gets what it missed:
    `since` is the `seq` of the last error that it has."""
    token = os.environ.get("ERROR_VISUALIZATION_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    since = None
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            try:
                async with session.ws_connect(f"{url}/ws/error-visualization", heartbeat=30) as socket:
                    start = {"type": "error_visualization_init", "time_range": 24}
                    await socket.send_json(start if since is None else start | {"since": since})
                    async for message in socket:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            continue
                        update = json.loads(message.data)
                        if update["type"] == "error_visualization_init_confirmed":
                            print("connected", file=sys.stderr, flush=True)
                        if update["type"] == "error_visualization_update":
                            since = update["seq"]
                            yield update["data"]["error"]
            except (aiohttp.ClientError, OSError) as failure:
                print(f"not connected: {failure}", file=sys.stderr, flush=True)
            await asyncio.sleep(PAUSE)


async def main(url):
    async for error in errors(url):
        print(
            error["timestamp"], error["severity"], error["worker_id"], error["type"], error["message"][:200], flush=True
        )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1].rstrip("/")))
