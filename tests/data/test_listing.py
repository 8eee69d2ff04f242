"""Names as they are compared and as they are written in messages."""

from __future__ import annotations

from vitrail.data.sources.listing import canonical, plural, printable, quoted


def test_canonical_joins_what_is_decomposed() -> None:
    assert canonical("A\u0308pfel") == "Äpfel" and canonical("猫") == "猫"


def test_printable_can_always_be_encoded() -> None:
    assert printable("a\udcff.png") == "a\\xff.png"
    assert printable("e\u0301.png").encode() == "é.png".encode()


def test_messages_stay_short() -> None:
    assert quoted(["a"]) == "'a'"
    assert quoted("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"
    assert (plural(1, "class", "classes"), plural(2000, "class", "classes"), plural(0, "row")) == (
        "1 class",
        "2,000 classes",
        "0 rows",
    )
