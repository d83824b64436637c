"""Reports an error, and tells a Slack channel if it is critical.

    SLACK_WEBHOOK=https://hooks.slack.com/services/… python slack.py http://localhost:8080

The service decides what is critical; its answer says so. For a whole fleet, let Alertmanager send the messages
instead: it groups and silences them. Needs only Python.
"""

import json
import os
import sys
import urllib.request

ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def post(url, content):
    """Sends JSON. Returns the text of the answer. Raises OSError."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(content).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read().decode()


def shown(text, most):
    """Returns a text as Slack shows it: cut, and with what Slack would read as markup escaped."""
    text = "".join(ESCAPES.get(character, character) for character in str(text)[:most])
    return text.replace("```", "'''")


def message(url, error, outcome):
    """Returns the message about an error, in the form of an incoming webhook."""
    fields = {"Type": error.get("type"), "Worker": error.get("worker_id"), "Because": ", ".join(outcome["reasons"])}
    return {
        "text": shown(f"Critical error on {error.get('worker_id')}: {error.get('message')}", 500),  # for notifications
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "Critical error"}},
            {"type": "section", "fields": [
                {"type": "mrkdwn", "text": f"*{name}:* {shown(value, 300)}"} for name, value in fields.items() if value
            ]},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"```{shown(error.get('message'), 2000)}```"}},
            {"type": "actions", "elements": [
                {"type": "button", "text": {"type": "plain_text", "text": "Open"},
                 "url": f"{url}/error-visualization?error={outcome['id']}"}
            ]},
        ],
    }  # fmt: skip


def report(url, webhook, error):
    """Reports an error. Returns its outcome: id, severity, reasons. Slack hears of critical ones."""
    outcome = json.loads(post(f"{url}/api/report-error", error))["data"]
    if outcome["severity"] == "critical":
        try:
            post(webhook, message(url, error, outcome))
        except OSError as failure:  # the error is stored, whatever Slack does
            print(f"Slack did not take the message: {failure}", file=sys.stderr)
    return outcome


if __name__ == "__main__":
    example = {
        "worker_id": "worker-1", "type": "ResourceError", "error_category": "RESOURCE_EXHAUSTED",
        "message": "Failed to allocate GPU memory",
    }  # fmt: skip
    print(report(sys.argv[1], os.environ["SLACK_WEBHOOK"], example))
