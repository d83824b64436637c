"""Writes `api-reference.md` beside this file from the OpenAPI document: `make reference`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from exporter.http.openapi import JSON, document

Schema = dict[str, Any]
PAGE: Final = Path(__file__).parent / "api-reference.md"
HEAD: Final = """# API reference

Made from the declarations in the code by `make reference`; do not edit. [Reading](api.md) explains the requests, and
[reporting](reporting.md) the reports. Times are ISO 8601 in UTC with milliseconds. An *optional* field is left out
where it has no value.
"""


def reference() -> str:
    """Returns the text of the page."""
    described = document()
    types = described["components"]["schemas"]
    requests = [
        line
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        for line in request(method, path, operation, types)
    ]
    shown = [name for name in types if not name.startswith("Success_")]
    fields = [line for name in sorted(shown) for line in fields_of(name, types[name])]
    return "\n".join([HEAD, "## Requests", "", *requests, "## Types", "", *fields]).rstrip() + "\n"


def request(method: str, path: str, operation: Schema, types: Schema) -> Iterator[str]:
    """Yields the lines about one request."""
    yield from (f"### {method.upper()} {path}", "", f"{operation['summary']}.", "")
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("| Parameter | In | Type | Default | Meaning |", "|---|---|---|---|---|")
        for one in parameters:
            default = one["schema"].get("default", ())
            shown = f"`{default}`" if default != () else ""
            meaning = one.get("description", "")
            yield f"| `{one['name']}` | {one['in']} | {kind(one['schema'])} | {shown} | {meaning} |"
        yield ""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from (f"Body, `{media}`: {kind(content['schema'])}.", "")
    content = operation["responses"]["200"].get("content", {})
    failures = ", ".join(status for status in operation["responses"] if status not in ("200", "304"))
    if content and JSON not in content:
        yield from (f"A file: {', '.join(f'`{media}`' for media in content)}. Failures: {failures}.", "")
    elif content:
        data = types[content[JSON]["schema"]["$ref"].rpartition("/")[2]]["properties"]["data"]
        tagged = " It has an `ETag` and may be a 304." if "304" in operation["responses"] else ""
        yield f"`data`: {kind(data)}.{tagged}" + (f" Failures: {failures}." if failures else "")
        yield ""


def fields_of(name: str, schema: Schema) -> Iterator[str]:
    """Yields the lines about one type."""
    yield from (f"### {name}", "")
    if "description" in schema:
        yield from (schema["description"], "")
    yield from ("| Field | Type | Meaning |", "|---|---|---|")
    for field, declared in schema["properties"].items():
        optional = "" if field in schema["required"] else "*optional* "
        yield f"| `{field}` | {optional}{kind(declared)} | {meaning_of(declared)} |"
    yield ""


def meaning_of(schema: Schema) -> str:
    inner = next((meaning_of(choice) for choice in schema.get("anyOf", []) if meaning_of(choice)), "")
    return schema.get("description", inner)


def kind(schema: Schema) -> str:
    """Returns the type of a schema in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(kind(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value)
    if schema.get("type") == "array":
        return f"list of {kind(schema['items'])}"
    if "additionalProperties" in schema:
        return f"object of {kind(schema['additionalProperties'])} by name"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{schema['type']}, {least} to {most}"
    if "maxLength" in schema:
        return f"{schema['type']}, at most {schema['maxLength']} characters"
    word: str = schema.get("type", "any JSON")
    return word


if __name__ == "__main__":
    PAGE.write_text(reference(), "utf-8")
