"""What happens if a model answers only where it is sure: the figure, and what the page says of promises."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from vitrail.report.data import Promise, Reliability, Risk
from vitrail.report.page import render_report
from vitrail.report.plots import AMBER
from vitrail.report.risk_plot import draw_risk

SVG = "{http://www.w3.org/2000/svg}"
PROMISES = (
    Promise(0.05, 0.7, 80, 0.8, 0.025, (0.007, 0.087)),
    Promise(0.01, 0.95, 40, 0.4, 0.05, (0.014, 0.165)),
)
RISK = Risk((0.1, 0.4, 0.8, 1.0), (0.0, 0.05, 0.025, 0.1), 100, PROMISES)


def words_of(page):
    """Read what a page says."""
    words: list[str] = []
    reader = HTMLParser()
    reader.handle_data = words.append  # type: ignore[method-assign]
    reader.feed(page)
    return " ".join(" ".join(words).replace("\u00a0", " ").split())


@pytest.fixture
def page_of(make_data):
    """Give what the page says of a risk."""

    def make(risk):
        trust = make_data().reliability
        return words_of(render_report(make_data(reliability=Reliability(trust.bins, 1.0, (), risk))))

    return make


@pytest.mark.parametrize("count", [1, 2, 256])
def test_risk_is_svg_for_any_number_of_points_with_a_ring_for_each_promise(count):
    coverage = tuple((place + 1) / count for place in range(count))
    plain = Risk(coverage, tuple(0.1 * one for one in coverage), 300)
    texts = {element.text for element in ElementTree.fromstring(draw_risk(plain)).iter(f"{SVG}text")}
    assert {"images that are answered", "wrong answers"} <= texts
    rings = [draw_risk(replace(plain, promises=PROMISES[:many])).count(f"stroke: {AMBER}") for many in range(3)]
    assert rings[0] == 0
    assert rings[2] - rings[1] == 1, "the shape is defined once"


def test_promises_stand_in_the_page_with_what_became_of_them(page_of):
    words = page_of(RISK)
    assert "If it answers only where it is sure" in words
    for said in (
        "5.0 % 80.0 % 80 2.50 % 0.70 % … 8.70 % yes",
        "1.0 % 40.0 % 40 5.00 % 1.40 % … 16.50 % no",
        "all 100 images",
    ):
        assert said in words
    assert not PROMISES[1].kept


def test_the_page_says_that_nothing_can_be_promised_and_nothing_where_nothing_is_known(page_of):
    none = page_of(replace(RISK, promises=()))
    assert "no useful error rate can be promised" in none and "Rings" not in none
    assert "If it answers only" not in page_of(None)
