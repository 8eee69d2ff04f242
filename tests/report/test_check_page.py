"""The page of a data check: whole, offline, and safe from what names hold."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from vitrail.report.check_data import Card, CheckData, Section, Shown
from vitrail.report.check_page import render_check
from vitrail.report.pictures import Picture

NAME = "<script>alert(1)</script>\"&'.png"


@pytest.fixture
def picture():
    file = io.BytesIO()
    Image.fromarray(np.zeros((20, 30), dtype=np.uint8)).save(file, "PNG")
    return Picture(file.getvalue(), (30, 20))


def page(picture, *, problem=True, count=3, splits=None):
    cards = (
        Card((Shown(NAME, NAME, "train", picture), Shown("b", "c", "", None)), f"detail {NAME}", 7),
        Card((Shown("d", "e", "val", picture),), "other"),
    )
    sections = (Section("leaks", "One picture in two splits", "Keep one.", problem, count, cards),)
    words = Section("empty_classes", "Classes without images", "Add some.", False, 1, (Card((), "class 'x'"),))
    return CheckData(NAME, 1234, 5, splits or {}, 1000, 2.5, (*sections, words), ("Huge images",), ("a note",))


class Words(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def read(html):
    words = Words()
    words.feed(html)
    return words


def test_it_needs_nothing_else_and_runs_nothing(picture):
    words = read(render_check(page(picture)))
    assert "script" not in words.tags
    assert "link" not in words.tags
    assert all(link.startswith(("data:image/", "#")) for link in words.links)
    assert not re.search(r"url\(|@import|https?://", render_check(page(picture)))


def test_it_says_everything(picture):
    text = " ".join(" ".join(read(render_check(page(picture, splits={"train": 1200, "val": 34}))).text).split())
    for part in (
        NAME, "1 kind of problem", "1,234 images of 5 classes", "1,000 are worth keeping", "One picture in two splits",
        "Keep one.", f"detail {NAME} · 7 more images", "… and 1 more", "class 'x'", "Huge images", "a note",
        "cannot be shown", "training", "validation", "1,200",
    ):  # fmt: skip
        assert part in text, part


def test_without_a_problem_it_says_so(picture):
    text = " ".join(read(render_check(page(picture, problem=False, count=2))).text)
    assert "No problem found" in text
    assert "more; " not in text


def test_equal_data_give_equal_pages(picture):
    assert render_check(page(picture)) == render_check(page(picture))


def test_every_link_leads_to_a_section(picture):
    html = render_check(page(picture))
    targets = set(re.findall(r'id="([^"]+)"', html))
    assert {link[1:] for link in read(html).links if link.startswith("#")} == targets
