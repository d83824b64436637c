"""Words of dates are English in each browser; the order and the clock are those of the reader's language."""

import re

import pytest
from javascript import BROWSER, PAGE, results

pytestmark = pytest.mark.html

CALLS = """[its.formatted(new Date(value), its.CLOCK), its.formatted(new Date(value), { weekday: "short", day: "numeric", month: "short" }),
    its.full(value)]"""


@pytest.mark.parametrize(
    ("locale", "clock", "day", "numbers"),
    [
        ("en-GB", "22:05", "Fri 27 Nov", "27/11/2026, 22:05:09"), ("de-DE", "22:05", "Fri 27 Nov", "27/11/2026, 22:05:09"),
        ("ar-EG", "10:05 pm", "Fri 27 Nov", "27/11/2026, 10:05:09 pm"), ("en-US", "10:05 PM", "Fri, Nov 27", "11/27/2026, 10:05:09 PM"),
        ("ja-JP", "22:05", "Fri, Nov 27", "2026-11-27, 22:05:09"), ("fa-IR", "22:05", "Fri 27 Nov", "2026-11-27, 22:05:09"),
        ("sv-SE", "22:05", "Fri 27 Nov", "2026-11-27, 22:05:09"), ("en-CA", "10:05 PM", "Fri, Nov 27", "2026-11-27, 10:05:09 PM"),
        ("ko-KR", "10:05 PM", "Fri, Nov 27", "2026-11-27, 10:05:09 PM"), ("en-IN", "10:05 pm", "Fri, 27 Nov", "27/11/2026, 10:05:09 pm"),
    ],
)  # fmt: skip
def test_words_are_english_and_the_rest_is_the_readers(locale: str, clock: str, day: str, numbers: str) -> None:
    (found,) = results("dates.js", CALLS, ["2026-11-27T22:05:09Z"], locale=locale)
    assert [re.sub(r"\s", " ", text) for text in found] == [clock, day, numbers]


def test_midnight_and_noon_of_a_clock_of_12_hours() -> None:
    call = "its.formatted(new Date(value), its.CLOCK).replace(/\\s/, ' ')"
    at = ["2026-11-27T00:05:00Z", "2026-11-27T12:05:00Z"]
    assert results("dates.js", call, at, locale="en-US") == ["12:05 AM", "12:05 PM"]
    assert results("dates.js", call, at, locale="ja-JP") == ["00:05", "12:05"]


@pytest.mark.parametrize("locale", ["de-DE", "ja-JP", "fr-FR"])
def test_units_are_english_and_numbers_the_readers(locale: str) -> None:
    comma = "." if locale == "ja-JP" else ","
    assert results("spell.js", "its.bytes(value)", [7, 1500], locale=locale) == ["7 byte", f"1{comma}5 kB"]


@pytest.mark.parametrize("locale", ["en-US", "en-GB", "en-CA", "de-DE", "ja-JP"])
def test_all_read_the_same_short_words_of_how_long_ago(locale: str) -> None:
    made = BROWSER + (
        "globalThis.Node = class {};"
        "document.createElement = () => ({ setAttribute() {}, append(text) { this.text = text; } });"
    )
    call = "its.ago(new Date(Date.now() - value * 1000).toISOString()).text"
    seconds = [5.5, 12 * 60 + 5, 5 * 3600 + 5, 2 * 86_400 + 5]
    assert results("dom.js", call, seconds, locale=locale, before=made) == ["5s ago", "12m ago", "5h ago", "2d ago"]


def test_no_other_module_formats_dates() -> None:
    made = re.compile(
        r"Intl\.DateTimeFormat|toLocale(Date|Time)String|toLocaleString\(\[|RelativeTimeFormat\((?!.en\b)"
    )
    found = [
        path.name for path in PAGE.glob("*.js") if path.name != "dates.js" and made.search(path.read_text("utf-8"))
    ]
    assert found == ["spell.js"]  # a number
