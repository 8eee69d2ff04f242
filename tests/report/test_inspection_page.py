"""The page of an inspection: whole, escaped, with what its script needs; and the figures on it."""

import json
import re

import numpy as np
import pytest

from vitrail.report import layer_plots, tile_plots
from vitrail.report.attention_sheets import draw_sheet
from vitrail.report.inspection_data import Attended, InspectionData, Panel
from vitrail.report.inspection_page import render_inspection
from vitrail.report.pictures import Picture

NASTY = "</script><script>alert(1)</script>.png"
SOME = np.linspace(0, 1, 12).reshape(4, 3)


def page_data(attended=True):
    sheet = draw_sheet(np.full((2, 5, 5), 0.2), 4, 2)
    image = Attended(NASTY, Picture(b"\x89PNG", (8, 8)), (2, 2), 1, (sheet, sheet))
    panel = Panel("attention_distance", "Attention distance", "Text with <b>.", layer_plots.draw_distance(SOME, 0.9))
    return InspectionData(
        title=NASTY, verdict="A verdict" if attended else "", sentences=("One.", "Two."), figures={"Blocks": "2"},
        panels=(panel,), attended=(image,) if attended else (), layers=(0, 1), heads=(0, 1),
        prefix=("class token",), notes=("left <out>",),
    )  # fmt: skip


def test_names_are_escaped_and_the_script_gets_its_numbers():
    data = page_data()
    page = render_inspection(data)
    assert "alert(1)</script>" not in page
    assert page.count("<script") == 2
    assert "left &lt;out&gt;" in page
    assert "Text with &lt;b&gt;." in page
    maps = json.loads(re.search(r'<script type="application/json" id="maps">(.*?)</script>', page).group(1))
    assert (maps["layers"], maps["heads"], maps["prefix"]) == ([0, 1], [0, 1], ["class token"])
    (image,) = maps["images"]
    assert (image["name"], image["grid"], image["step"], image["tiny"]) == (NASTY, [2, 2], 1, True)
    assert [sheet["across"] for sheet in image["sheets"]] == [4, 4]
    assert image["sheets"][0]["src"].startswith("data:image/png;base64,")
    assert page == render_inspection(data)


def test_nothing_comes_from_elsewhere():
    page = render_inspection(page_data())
    addresses = set(re.findall(r"https?://[^\"' )]*", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<link|@import|url\((?!#|data:)|fetch\(|XMLHttpRequest", page)


def test_without_images_there_is_nothing_to_explore():
    page = render_inspection(page_data(attended=False))
    assert "<script" not in page
    assert "verdict" not in page[page.index("<main>") :]
    assert "attention_distance.parquet" in page


@pytest.mark.parametrize(
    "draw",
    [
        lambda: layer_plots.draw_distance(SOME, 0.9),
        lambda: layer_plots.draw_entropy(SOME[:1]),
        lambda: layer_plots.draw_similarity(np.array([0.2, -0.4, 0.9])),
        lambda: layer_plots.draw_cka(np.array([[1, -0.05], [-0.05, 1]])),
        lambda: layer_plots.draw_norms(np.zeros(5), 0.0),
        lambda: layer_plots.draw_norms(np.array([1.0, 2.0, 9.0]), 6.0),
        lambda: tile_plots.draw_filters(np.ones((3, 2, 2, 2))),
        lambda: tile_plots.draw_positions(np.ones((1, 3, 1, 3))),
        lambda: tile_plots.draw_bias(np.zeros((1, 1, 2, 3))),
    ],
    ids=["distance", "one block", "similarity", "cka", "no norm", "norms", "filters", "positions", "no bias"],
)
def test_every_figure_is_whole_in_every_form(draw):
    drawing = draw()
    assert drawing.png.startswith(b"\x89PNG")
    assert drawing.inline.startswith("<svg")
    assert drawing.svg.startswith("<?xml")
    assert drawing.svg.rstrip().endswith("</svg>")


def test_tiles_stand_side_by_side_with_gaps_between():
    colours = np.zeros((2, 2, 30, 40, 4))
    colours[..., 3] = 1
    colours[..., 0] = np.array([[0.1, 0.2], [0.3, 0.4]])[..., None, None]
    pixels = tile_plots.mosaic(colours)
    gap = pixels.shape[0] - 60
    assert pixels.shape == (60 + gap, 80 + gap, 4)
    assert (pixels[30 : 30 + gap, :, 3] == 0).all()
    assert (pixels[:30, 40 + gap :, 0] == 0.2).all()
    assert (pixels[30 + gap :, :40, 0] == 0.3).all()
    small = tile_plots.mosaic(np.arange(16.0).reshape(1, 1, 2, 2, 4))
    assert small.shape == (24, 24, 4)
    assert (small[:12, 12:] == [4, 5, 6, 7]).all()


def test_places_that_are_shown():
    assert tile_plots.chosen_places(3) == [0, 1, 2]
    assert tile_plots.chosen_places(16) == [0, 2, 4, 6, 9, 11, 13, 15]
    assert tile_plots.chosen_places(1) == [0]
