"""Terminal control sequences are removed from texts; other control characters are not."""

import time

import pytest

from exporter.events.plain_text import plain_text

pytestmark = pytest.mark.dashboard
E = "\x1b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{E}[31mFAILED{E}[0m test", "FAILED test"),
        (f"{E}[1;38;5;208morange{E}[m", "orange"),
        (f"{E}[38:2:255:0:0mred{E}[39m", "red"),
        (f"a{E}[2K{E}[1Gb{E}[?25lc{E}[!pd", "abcd"),
        (f"{E}[3", ""),  # cut off at the end of the text
        (f"a{E}[31\nb", "a\nb"),
        (f"{E}]0;title\x07text", "text"),
        (f"{E}]8;;https://example.test/x{E}\\link{E}]8;;{E}\\ end", "link end"),
        (f"{E}]8;;https://example.test/x\x9clink{E}]8;;\x9c end", "link end"),
        (f"{E}]133;A\nnext line", "133;A\nnext line"),  # without its end: only the introducer is certain
        (f"{E}P1$r0m{E}\\a{E}_app{E}\\b{E}^pm{E}\\c{E}X{E}\\d{E}ktitle{E}\\e", "abcde"),
        (f"{E}(Bx{E})0y{E}#8z{E} F", "xyz"),
        (f"{E}7a{E}8b{E}=c{E}>d{E}Me{E}cf", "abcdef"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x9d0;title\x9ctext\x9d8;;u\x07", "text"),
        # kept
        ("read \x00 past\x00end\x07\x08\r\x7f\x85", "read \x00 past\x00end\x07\x08\r\x7f\x85"),
        (
            "quotes â\x80\x9cas Latin-1â\x80\x9d, ‛ as â\x80\x9bx",
            "quotes â\x80\x9cas Latin-1â\x80\x9d, ‛ as â\x80\x9bx",
        ),
        (f"the end {E}", f"the end {E}"),
        (f"{E}\x00", f"{E}\x00"),
        (f"{E}é", f"{E}é"),
        (r"\x1b[31m and ^[[31m are texts", r"\x1b[31m and ^[[31m are texts"),
        ("[31m", "[31m"),
        ("", ""),
    ],
)
def test_only_control_sequences_are_removed(text: str, expected: str) -> None:
    assert plain_text(text) == expected


@pytest.mark.parametrize("start", [f"{E}]", f"{E}[", "\x9d1;", f"{E}P", f"{E}[1", f"{E} ", "\x9b1"])
def test_the_cost_grows_with_the_length_alone(start: str) -> None:
    """The square of 8 times the length would take 64 times as long."""

    def seconds(length: int) -> float:
        found = []
        for _ in range(5):
            began = time.thread_time()
            plain_text(start * length)
            found.append(time.thread_time() - began)
        return min(found)

    assert seconds(32_000) < 3 * 8 * seconds(4_000)
