"""What is about all images: the page, the tables, and which map to believe."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from vitrail.analysis.faithfulness import Curves, Faithfulness
from vitrail.core.table import Table
from vitrail.jobs.explanation import Explained, Explanation, NamedMap
from vitrail.jobs.explanation_page import ExplanationGathering, average, find, sign_test
from vitrail.jobs.explanation_tables import curves_table, maps_table
from vitrail.jobs.inquiry import Inquiry
from vitrail.jobs.prediction import Prediction
from vitrail.report.explanation import Look

POINTS = np.array([0.0, 0.5, 1.0])
TITLES = {"last": "last block", "rollout": "rollout"}


def curves(gain):
    return Curves(POINTS, np.array([0.5, 0.5, 0.5]), np.array([0.5, 0.5 + 2 * gain, 0.5]))


def measured(last, rollout, bound=0.1):
    chance = tuple(curves(one) for one in (bound, 0.0, -bound / 2))
    return Faithfulness({"last": curves(last), "rollout": curves(rollout)}, chance)


def explanation(faithfulness=None, label="cat", target="cat"):
    maps = {
        "last": NamedMap("last block", np.arange(6.0).reshape(2, 3)),
        "rollout": NamedMap("rollout", -np.arange(6.0).reshape(2, 3), True, "adds up to −15"),
    }
    answers = ((label, 0.75), ("<dog>", 0.25))
    found = Prediction("a/1.png", label, 0.75, answers)
    return Explanation(found, Table("map", maps), (0, 0, 30, 20), (20, 30), "the class token", target, faithfulness)


def look(found):
    return Look(Image.new("RGB", (30, 20)), found.box, {}, found.prediction.top, found.query, "cat")


def test_averages_have_the_largest_gain_first():
    first, second = average([measured(0.1, 0.3), measured(0.2, 0.5)], TITLES)
    assert (first.title, second.title) == ("rollout", "last block")
    assert first.gain == pytest.approx(0.4) and first.error == pytest.approx(0.1)
    assert first.deletion == pytest.approx(0.5) and first.insertion == pytest.approx(0.9)
    assert (first.beats_chance, second.beats_chance) == (2, 1)
    assert average([measured(0.1, 0.3)], TITLES)[0].error is None
    assert average([], TITLES) == []


def test_two_maps_are_separated_by_as_many_images_as_it_takes():
    assert sign_test(6, 0) == pytest.approx(2 / 64)
    assert sign_test(0, 5) == pytest.approx(2 / 32)
    assert sign_test(3, 3) == sign_test(0, 0) == 1
    few, many = ([measured(0.3, 0.2)] * count for count in (5, 6))
    assert "rollout on 5 of 5 images: not separated (sign test, p = 0.062)." in find(few, TITLES)
    found = find(many, TITLES)
    assert found.startswith("Last block gains most on average, and more than every random order on 6 of 6 images.")
    assert found.endswith("It gains more than rollout on 6 of 6 images (sign test, p = 0.031).")


def test_none_is_believed_that_does_no_better_than_chance():
    assert find([measured(0.1, 0.05)], TITLES) == (
        "None: the map that gains most, last block, does no better than random orders on this image."
    )
    assert "on any of the 3 images" in find([measured(0.0, 0.1)] * 3, TITLES)
    assert find([], TITLES) == ""
    assert find([measured(0.11, 0.05)], TITLES).startswith("Last block: it gains most")


def test_the_page_names_what_it_shows():
    gathering = ExplanationGathering("flowers <1>", Inquiry(("last", "rollout"), faithfulness=True))
    for name, values in (("a/<b>.png", (0.3, 0.2)), ("c.png", (0.0, 0.05))):
        found = explanation(measured(*values), target="<dog>")
        gathering.add(name, "b.png", found, look(found))
    gathering.fail("broken.png", "no image")
    page = gathering.render()
    assert "flowers &lt;1&gt;" in page and "a/&lt;b&gt;.png" in page and "<dog>" not in page
    assert "Believe <b>last block</b>." in page
    assert "None of these maps does better than chance on this image." in page
    assert "Asked about: &lt;dog&gt;" in page
    assert "adds up to −15" in page and "broken.png: no image" in page
    assert page.count("<svg") == 4 and page.count("<img") == 6
    assert "3 random orders" in page and "at most 0.100" in page
    assert page.index("+0.300") < page.index("+0.200")
    assert "http" not in page.replace("http://www.w3.org", "")


def test_without_a_measurement_the_page_claims_nothing():
    gathering = ExplanationGathering("flowers", Inquiry(("last",)))
    found = explanation()
    gathering.add("a.png", "a.png", found, look(found))
    page = gathering.render()
    assert "Which map to believe" not in page and "<svg" not in page and "Asked about" not in page


def test_tables_hold_every_patch_and_every_point():
    done = [
        Explained("a/1.png", explanation(measured(0.3, 0.2))),
        Explained("bad.png", None, error="no image"),
        Explained("b.png", explanation(measured(0.0, 0.1))),
    ]
    rows = parquet.read_table(io.BytesIO(maps_table(done))).to_pylist()
    assert len(rows) == 2 * 2 * 6
    assert rows[4] == {"path": "a/1.png", "map": "last", "row": 1, "column": 1, "value": 4.0}
    assert rows[-1] == {"path": "b.png", "map": "rollout", "row": 1, "column": 2, "value": -5.0}
    points = parquet.read_table(io.BytesIO(curves_table(done))).to_pylist()
    assert len(points) == 2 * (2 + 3) * 3
    expected = {"path": "a/1.png", "map": "last", "repeat": 0, "fraction": 0.5, "deletion": 0.5, "insertion": 1.1}
    assert points[1] == pytest.approx(expected)
    assert {(row["map"], row["repeat"]) for row in points[6:15]} == {("random", 0), ("random", 1), ("random", 2)}


def test_nothing_measured_makes_no_table_of_curves():
    assert curves_table([Explained("a.png", explanation())]) is None
    assert parquet.read_table(io.BytesIO(maps_table([]))).num_rows == 0
