"""The page of a run: complete, safe whatever names hold, needs nothing from outside, the same for the same data."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from vitrail.report.confusions import worst_confusions
from vitrail.report.data import Bin, ClassFigures, Expense, Headline, Learning, Reliability
from vitrail.report.page import class_rows, render_report
from vitrail.report.pictures import Picture

EVIL = "<script>alert('{}')</script>\"&'"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Read a page as a browser does: which elements, which attributes, which text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.pieces: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "elements must be closed in order"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.text.append(data)
            self.pieces.append((self.open[-1], data))

    def texts_of(self, wanted: str) -> list[str]:
        return [text for tag, text in self.pieces if tag == wanted]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.mark.parametrize("classes", [1, 2, 10, 15, 16, 200, 300])
def test_a_page_is_well_formed_and_holds_everything(make_data, classes):
    reader = Reader(render_report(make_data(classes)))
    assert not reader.open
    for text in (
        "90.00 %", f"of {10 * classes:,} test image", "85.00 % … 94.00 %", "Macro F1", "epoch 28 of 30", "class 0",
        "seed", "recipe.optimizer.lr", "model S/16: suits", "flowers/", "Calibration error", "34 s", "1.23 TFLOP",
        "Step 3", "of 64 images",
    ):  # fmt: skip
        assert text in reader.words.replace("\u00a0", " "), text
    assert reader.count("img") == min(24, classes) + 3 * min(12, classes)
    assert reader.count("svg") == (3 if classes <= 15 else 4)


def test_few_classes_are_counted_in_cells_and_many_are_not(make_data):
    few, many = (render_report(make_data(classes)) for classes in (15, 16))
    assert few.count('class="right"') == few.count('class="wrong"') == 15
    assert '<table class="matrix' not in many
    assert "Most frequent confusions" in many
    assert 'aria-label="Confusion matrix"' in many
    assert 'aria-label="Confusion matrix"' not in few


@pytest.mark.parametrize("classes", [3, 40])
def test_names_are_escaped(make_data, bad_images, classes):
    bad = [type(bad_images[0])(EVIL.format("split"), EVIL.format("file"), EVIL.format("reason"))]
    headline = Headline(EVIL.format("split"), 0.9, (0.8, 0.95), 30, 1)
    facts = {EVIL.format("heading"): {EVIL.format("fact"): EVIL.format("value")}}
    page = render_report(
        make_data(
            classes, EVIL, title=EVIL.format("title"), headline=headline, bad=tuple(bad), notes=(EVIL.format("note"),),
            settings={EVIL.format("key"): EVIL.format("setting")}, facts=facts,
        )
    )  # fmt: skip
    reader = Reader(page)
    assert "script" not in {tag for tag, _ in reader.elements}
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    assert "<script" not in page.lower()
    for what in ("title", "split", "file", "reason", "note", "key", "setting", "heading", "fact", "value", "0"):
        assert EVIL.format(what) in reader.words, what
    names = {attributes["alt"] for tag, attributes in reader.elements if tag == "img"}
    assert f"{EVIL.format(0)}, taken for {EVIL.format(1)}" in names


@pytest.mark.parametrize("classes", [2, 200])
def test_nothing_is_fetched(make_data, classes):
    page = render_report(make_data(classes))
    reader = Reader(page)
    for tag, attributes in reader.elements:
        assert tag not in ("script", "link", "iframe", "object", "base"), tag
        for name in ("src", "href", "xlink:href", "srcset", "poster", "action"):
            assert re.match(r"#|data:image/(png|jpeg);base64,", attributes.get(name) or "#"), (tag, name)
    assert not re.search(r"@import|@font-face", page)
    assert all(address.startswith("#") for address in re.findall(r"url\(['\"]?([^)]*)\)", page))
    outside = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_every_reference_inside_the_page_is_met(make_data):
    page = render_report(make_data(200))
    wanted = set(re.findall(r"(?:href=\"|url\()#([\w-]+)", page))
    assert wanted
    assert wanted <= set(re.findall(r'\bid="([\w-]+)"', page))


@pytest.mark.parametrize("classes", [10, 200])
def test_equal_data_give_equal_bytes(make_data, classes):
    first, second = (render_report(make_data(classes)) for _ in range(2))
    assert first == second
    assert not re.search(r"20\d\d-\d\d-\d\d", first), "no date of rendering"


def test_a_page_stays_small(make_data):
    assert len(render_report(make_data(10)).encode()) < 150_000
    photos = make_data(200, side=160)
    assert len(photos.gallery.mistakes) == 24
    assert photos.gallery.mistakes[0].picture.kind == "image/jpeg"
    assert len(render_report(photos).encode()) < 3_000_000, "pictures of noise are the worst case"
    assert len(render_report(make_data(1500)).encode()) < 1_500_000


def test_bad_files_are_listed_up_to_a_limit(make_data, bad_images):
    few, many = (render_report(make_data(bad=bad_images[:count])) for count in (3, 72))
    assert "3 images were left out" in few
    assert all(f"rose/{number:03d}.jpg" in few for number in range(3))
    assert "truncated" in few
    assert "bad_files.csv" not in few
    assert "72 images were left out" in many
    assert many.count("rose/") == 50
    assert "bad_files.csv" in many
    assert "left out" not in render_report(make_data())


@pytest.mark.parametrize(
    ("split", "bad", "said"),
    [
        ("test", 0, None),
        ("val", 0, "There was no test split"),
        ("train", 0, "learned from these very images"),
        ("test", 1, "1 more image of this split could not be used and does not count"),
        ("test", 1234, "1,234 more images of this split could not be used and do not count"),
    ],
)
def test_the_headline_says_what_it_is_worth(make_data, split, bad, said):
    words = Reader(render_report(make_data(headline=Headline(split, 0.9, (0.8, 0.95), 100, bad)))).words
    warnings = ("no test split", "very images", "could not be used")
    assert (said in words) if said else not any(warning in words for warning in warnings)
    assert {"val": "validation", "train": "training"}.get(split, split) + " images" in words


def test_what_is_not_there_is_left_out(make_data):
    perfect = 10 * np.eye(10, dtype=np.int64)
    page = render_report(
        make_data(
            learning=Learning(),
            expense=None,
            reliability=Reliability(()),
            confusion=perfect,
            mistakes=(),
            notes=(),
            settings={},
            facts={},
        )
    )
    reader = Reader(page)
    assert reader.count("svg") == reader.count("img") == reader.count("details") == 0
    assert "None is wrong" in reader.words
    missing = (
        "Training",
        "What the network sees",
        "The surest mistakes",
        "What was decided",
        "Time",
        "How it was made",
    )
    for heading in missing:
        assert f"<h2>{heading}" not in page


@pytest.mark.parametrize("best", [None, 31])
def test_a_best_epoch_that_is_unknown_is_not_named(make_data, best):
    assert "were kept" not in render_report(make_data(learning=replace(make_data().learning, best_epoch=best)))


@pytest.mark.parametrize(("side", "tiny"), [(8, True), (64, True), (65, False)])
def test_tiny_pictures_are_enlarged_without_smoothing(make_data, side, tiny):
    assert ('class="tiny"' in render_report(make_data(2, side=side))) is tiny


@pytest.mark.parametrize(("shown", "said"), [(1, "only wrong answer"), (3, "All 3 wrong"), (2, "The 2 of 3 wrong")])
def test_it_is_said_how_many_mistakes_there_are(make_data, shown, said):
    mistakes = make_data(3).gallery.mistakes
    wrong = 1 if shown == 1 else 3
    confusion = np.diag([9, 9, 9]) + wrong * np.eye(3, k=2, dtype=np.int64)
    assert said in Reader(render_report(make_data(3, confusion=confusion, mistakes=mistakes[:shown]))).words


def test_a_class_without_images_has_dashes(make_data):
    absent = ClassFigures("absent", 0, None, None, None)
    data = make_data(3)
    assert render_report(make_data(3, classes=(*data.classes[:2], absent))).count(">–</td>") == 3


def test_the_weakest_of_many_classes_come_first(make_data):
    figures = [ClassFigures(str(one), 5, one / 40, one / 40, one / 40) for one in range(1, 41)]
    absent = ClassFigures("absent", 0, None, None, None)
    assert class_rows([absent, *reversed(figures)]) == [*figures, absent]
    assert class_rows(figures[::-1][:15]) == figures[::-1][:15], "few stay in order"
    assert len(class_rows(figures * 30)) == 1000


def test_the_most_frequent_confusions():
    confusion = np.array([[5, 0, 2], [1, 3, 0], [0, 2, 90]])
    found = worst_confusions(confusion, "012", 2)
    assert [(one.label, one.predicted, one.count, one.share) for one in found] == [
        ("0", "2", 2, 2 / 7),
        ("2", "1", 2, 2 / 92),
    ]


def test_ece_is_the_mean_gap_over_images(make_data):
    bins = make_data().reliability.bins
    assert Reliability(bins).ece == pytest.approx((2 * 0.05 + 8 * 0.075) / 10)
    assert Reliability(bins).confidence == pytest.approx((2 * 0.45 + 8 * 0.95) / 10)
    assert Reliability((Bin(0, 1, 3, 0.25, 1.0, (0.4, 1)),)).ece == pytest.approx(0.75)
    assert Reliability(()).ece == 0


def test_a_temperature_is_told_with_the_error_before_it(make_data, bins_before):
    trust = Reliability(make_data().reliability.bins, 0.637, bins_before)
    assert trust.ece_before == pytest.approx((5 * 0.15 + 5 * 0.18) / 10)
    words = Reader(render_report(make_data(reliability=trust))).words.replace("\u00a0", " ")
    assert "0.637" in words
    assert "before 16.50 %" in words
    assert "after 7.00 %" in words
    plain = Reader(render_report(make_data())).words.lower()
    assert "temperature" not in plain
    assert "before" not in plain


def test_a_page_has_every_part(make_data, bad_images, bins_before):
    trust = Reliability(make_data().reliability.bins, 0.637, bins_before)
    reader = Reader(render_report(make_data(reliability=trust, bad=bad_images)))
    headings = " ".join(reader.texts_of("h2"))
    for part in (
        "Training", "What the network sees", "What is taken for what", "probabilities can be trusted", "Class by class",
        "The surest mistakes", "Files that could not be used", "What was decided", "Time and cost", "How it was made",
    ):  # fmt: skip
        assert part in headings, part
    labels = {attributes.get("aria-label") for tag, attributes in reader.elements if tag == "svg"}
    assert {"Training and validation loss over epochs", "Reliability diagram: accuracy against confidence"} <= labels
    assert reader.count("details") == 1, "settings"


def test_the_labels_of_mixed_images_are_weighed(make_data):
    reader = Reader(render_report(make_data(3, "kind {}")))
    seen = reader.words[reader.words.index("Step 1") : reader.words.index("Step 2")].replace("\u00a0", " ")
    assert seen.split("images ")[1].strip() == "kind 0 70 % kind 1 30 % kind 1 kind 2 70 % kind 0 30 %"


def test_the_parts_of_the_time_are_shown_as_shares(make_data):
    expense = Expense({"learning": 90.0, "<validation>": 30.0}, {"Peak memory": "412 MB"})
    page = render_report(make_data(expense=expense))
    assert re.findall(r"--share:([\d.]+)\"><dt>", page) == ["0.750", "0.250"]
    assert "2 min 0 s in all" in page
    assert "&lt;validation&gt;" in page
    assert "412 MB" in page
    assert "0.0 s in all" in render_report(make_data(expense=Expense({"learning": 0.0})))


def test_a_picture_knows_its_kind():
    assert Picture(b"\x89PNG\r\n", (1, 1)).kind == "image/png"
    assert Picture(b"\xff\xd8\xff\xe0", (1, 1)).kind == "image/jpeg"


def test_what_the_model_looks_at_is_shown(make_data):
    looks = tuple(Picture(content, (1104, 514)) for content in (b"\x89PNG one", b"\x89PNG two"))
    page = render_report(make_data(looks=looks))
    assert "<h2>What it looks at</h2>" in page
    sources = re.findall(r'<img class="look" src="([^"]*)" width="1104" height="514" alt="[^"]+">', page)
    assert sources == ["data:image/png;base64,iVBORyBvbmU=", "data:image/png;base64,iVBORyB0d28="]
    assert "What it looks at" not in render_report(make_data())
