"""Sends an email for each critical error, ten an hour at most.

    pip install aiohttp
    SMTP_HOST=smtp.example.com SMTP_USER=alerts@example.com SMTP_PASSWORD=… \\
        python email_alerts.py http://localhost:8080 admin@example.com team@example.com

For a whole fleet, let Alertmanager send the mails instead: it groups and silences them. This is for a few machines.
"""

import asyncio
import contextlib
import os
import smtplib
import ssl
import sys
import time
from collections import deque
from email.message import EmailMessage

from websocket_client import errors

MOST_IN_AN_HOUR = 10
CERTIFICATES = os.environ.get("SMTP_CA_FILE")  # those of the system, if it is not set


def one_line(text):
    """Returns a text that may stand in a header: a line end in it would begin the next header."""
    return " ".join(str(text).split())[:200]


def mail(url, error, sender, recipients):
    """Returns the mail about an error."""
    message = EmailMessage()
    message["Subject"] = one_line(f"Critical: {error['error_category']} on {error['worker_id']}")
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    fields = ("type", "error_category", "worker_id", "timestamp", "message", "traceback")
    lines = [f"{name}: {error.get(name) or '-'}" for name in fields]
    message.set_content("\n".join([*lines, "", f"{url}/error-visualization?error={error['id']}"]))
    return message


def send(message):
    """Sends a mail over STARTTLS. Raises OSError and smtplib.SMTPException."""
    with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ.get("SMTP_PORT", "587")), timeout=20) as server:
        server.starttls(context=ssl.create_default_context(cafile=CERTIFICATES))
        server.login(os.environ["SMTP_USER"], os.environ["SMTP_PASSWORD"])
        server.send_message(message)


async def main(url, recipients):
    sent = deque(maxlen=MOST_IN_AN_HOUR)  # when the last mails were sent
    async for error in errors(url):
        if not error["is_critical"]:
            continue
        if len(sent) == MOST_IN_AN_HOUR and time.monotonic() - sent[0] < 3600:
            print(f"no mail about error {error['id']}: {MOST_IN_AN_HOUR} were sent in the last hour", flush=True)
            continue
        sent.append(time.monotonic())
        try:  # in a thread: a mail server that hangs must not stop the WebSocket
            await asyncio.to_thread(send, mail(url, error, os.environ["SMTP_USER"], recipients))
            print(f"mail sent about error {error['id']}", flush=True)
        except (OSError, smtplib.SMTPException) as failure:
            print(f"no mail about error {error['id']}: {failure}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1].rstrip("/"), sys.argv[2:]))
