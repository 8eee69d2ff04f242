"""The images of which a page speaks one by one: labels in doubt, then mistakes, and no image twice."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from vitrail.report.page import render_report
from vitrail.report.pictures import Suspect, Suspects


def words_of(page):
    """Read what a page says."""
    words: list[str] = []
    reader = HTMLParser()
    reader.handle_data = words.append  # type: ignore[method-assign]
    reader.feed(page)
    return " ".join(" ".join(words).replace("\u00a0", " ").split())


@pytest.fixture
def suspects(make_data):
    """Give two suspects, of test and of validation."""
    picture = make_data().gallery.mistakes[0].picture
    shown = (
        Suspect("a/<1>.png", "test", "cat", "dog & wolf", 0.971, 0.002, picture),
        Suspect("b/2.png", "val", "dog & wolf", "cat", 0.93, 0.01, picture),
    )
    return Suspects({"test": 1359, "val": 144}, 7, 2.94, 1.6, True, shown)


def test_suspects_are_counted_beside_what_is_expected(make_data, suspects):
    page = render_report(make_data(suspects=suspects))
    words = words_of(page)
    for said in (
        "Images most likely mislabelled Suspects, not verdicts: 7 of 1,359 test and 144 validation images have a label",
        "expect 2.9 ± 1.6 such images. There are more, so labels here are likely worse than those.",
        "Shown are the 2 most doubtful",
        "dog & wolf 97.1 % labelled cat a/<1>.png cat 93.0 % labelled dog & wolf b/2.png validation",
    ):
        assert said in words, said
    assert "<1>.png" not in page
    few = words_of(render_report(make_data(suspects=replace(suspects, found=2, many=False))))
    assert "there are no more, so labels here are as right, or as wrong, as those." in few
    assert "most doubtful" not in few
    one = words_of(render_report(make_data(suspects=replace(suspects, images={"val": 1}, found=1, shown=()))))
    assert "1 of 1 validation image has a label" in one


def test_that_none_is_suspect_is_said(make_data, suspects):
    none = words_of(render_report(make_data(suspects=replace(suspects, found=0, shown=(), many=False))))
    assert "None found: no label of 1,359 test and 144 validation images is contradicted" in none
    assert "mislabelled" not in words_of(render_report(make_data()))


@pytest.mark.parametrize(
    ("wrong", "shown", "said"),
    [
        (2, 1, "One wrong answer is shown above, the label being in doubt; this is the other one."),
        (3, 2, "One wrong answer is shown above, the label being in doubt; these are the other 2, the surest first."),
        (1401, 2, "of the other 1,400, these are the 2 of which the model was surest."),
    ],
)
def test_mistakes_say_how_many_wrong_answers_are_among_the_suspects(make_data, suspects, wrong, shown, said):
    confusion = np.diag([9, 9, 9]) + wrong * np.eye(3, k=2, dtype=np.int64)
    mistakes = make_data(3).gallery.mistakes[:shown]
    words = words_of(render_report(make_data(3, confusion=confusion, mistakes=mistakes, suspects=suspects)))
    assert f"The surest mistakes Here the label is taken for true. {'' if wrong > 99 else said}" in words
    assert said in words
