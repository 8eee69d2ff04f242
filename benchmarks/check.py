"""Measure `vitrail check`: what it finds of what was planted, what it finds that was not, and how fast.

    uv run --with scikit-image python benchmarks/check.py photographs --seeds 10 11 12
    uv run python benchmarks/check.py fashion --seeds 10
    uv run python benchmarks/check.py labels --model hf:facebook/dinov2-small --seeds 10 11 12
    uv run --with scikit-image python benchmarks/check.py speed

Prints one JSON object a seed. `photographs` compares with cleanvision and imagededup where they are installed
(`--with cleanvision --with imagededup`).
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_sample_images

from vitrail.data.check.findings import Item
from vitrail.data.check.gather import catalogue_of, survey
from vitrail.data.sources import list_data, open_dataset
from vitrail.jobs.check import Check, check

PHOTOGRAPHS = (
    "astronaut.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
    "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "retina.jpg",
    "rocket.jpg",
)  # fmt: skip
"""What scikit-image ships, less drawings, the right eye of a stereo pair, and brick.png, whose tiles repeat."""
INSIDE = {"retina.jpg": (206, 206, 1205, 1205)}
"""The part that is no black border."""
SIDE = 96
FLAT = 6
"""Tiles of a smaller standard deviation of brightness show nothing and are left out."""
Pixels = npt.NDArray[np.uint8]
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def tiles(seed: int, side: int = SIDE, textures: bool = False) -> list[tuple[str, Image.Image]]:
    """Cut photographs into tiles that do not overlap, from a place that the seed decides."""
    from skimage import data

    folder = Path(data.__file__).parent
    names = ("brick.png",) if textures else PHOTOGRAPHS
    images = [(name.split(".")[0], Image.open(folder / name).convert("RGB").crop(INSIDE.get(name))) for name in names]
    if not textures:
        images += [(f"sample {place}", Image.fromarray(one)) for place, one in enumerate(load_sample_images().images)]
    random = np.random.default_rng(seed)
    found = []
    for name, image in images:
        top, left = random.integers(0, side // 2, 2).tolist()
        for y in range(top, image.height - side + 1, side):
            for x in range(left, image.width - side + 1, side):
                tile = Image.fromarray(np.asarray(image)[y : y + side, x : x + side])  # without a colour profile
                if np.asarray(tile.convert("L")).std() >= FLAT:
                    found.append((name, tile))
    return found


def reencoded(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Compress as JPEG of quality 50."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(file).convert(image.mode)


def resized(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Resize to half, three quarters or one and a half times the side."""
    part = random.choice([0.5, 0.75, 1.5])
    return image.resize((round(part * image.width), round(part * image.height)), Image.Resampling.BICUBIC)


def mirrored(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Exchange left and right."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Take 90 % of the width and height, anywhere."""
    width, height = round(0.9 * image.width), round(0.9 * image.height)
    left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
    return image.crop((left, top, left + width, top + height))


CHANGES: dict[str, Change] = {
    "exact": lambda image, random: image, "re-encoded q50": reencoded, "resized": resized, "mirrored": mirrored,
    "cropped 90 %": cropped,
}  # fmt: skip


class Planted:
    """Write a folder in which a part of the images has a copy: in its class, in another split, under another label.

    Args:
        root: the folder, with `train` and `test`.
        images: class and picture.
        kinds: names in `CHANGES`, each as often as the others.
        part: part of the images that get a copy.
        seed: of everything random.
    """

    def __init__(
        self, root: Path, images: list[tuple[str, Image.Image]], kinds: list[str], part: float, seed: int
    ) -> None:
        self.root = root
        self.copies: dict[tuple[str, str], tuple[str, str]] = {}
        random = np.random.default_rng(seed)
        classes = sorted({label for label, _ in images})
        chosen = set(random.permutation(len(images))[: round(part * len(images))].tolist())
        for number, (label, image) in enumerate(images):
            first = self._write("train" if random.random() < 0.8 else "test", label, f"{number:05d}.png", image)
            if number not in chosen:
                continue
            place = len(self.copies)
            kind, what = kinds[place % len(kinds)], ("duplicates", "leaks", "label_conflicts")[place // len(kinds) % 3]
            split, other = first.split("/")[0], label
            if what == "leaks":
                split = {"train": "test", "test": "train"}[split]
            if what == "label_conflicts":
                other = classes[(classes.index(label) + 1 + int(random.integers(len(classes) - 1))) % len(classes)]
            suffix = ".bmp" if kind == "exact" and place % 2 else ".png"
            copy = self._write(split, other, f"copy {number:05d}{suffix}", CHANGES[kind](image, random))
            self.copies[first, copy] = kind, what

    def _write(self, split: str, label: str, name: str, image: Image.Image) -> str:
        path = Path(split) / label.replace("/", " ") / name
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        image.save(self.root / path)
        return path.as_posix()


def together(items: tuple[Item, ...], names: list[str]) -> set[tuple[str, str]]:
    """List the pairs of images that a finding puts together."""
    return {
        (names[one], names[other]) for item in items for one in item.images for other in item.images if one != other
    }


def score(planted: Planted, pairs: set[tuple[str, str]], total: int) -> dict[str, object]:
    """Say which planted pairs are among those found, and which images are in a pair that was not planted."""
    both = pairs | {(other, one) for one, other in pairs}
    found = {kind: [0, 0] for kind, _ in planted.copies.values()}
    for pair, (kind, _) in planted.copies.items():
        found[kind][0] += pair in both
        found[kind][1] += 1
    near = [value for kind, value in found.items() if kind != "exact"]
    wrong = {frozenset(pair) for pair in both} - {frozenset(pair) for pair in planted.copies}
    false = sorted({name for pair in wrong for name in pair})
    unplanted = total - 2 * len(planted.copies)
    answer: dict[str, object] = {kind: f"{hit} of {all_}" for kind, (hit, all_) in found.items()}
    if near:
        answer["near recall"] = round(sum(hit for hit, _ in near) / sum(all_ for _, all_ in near), 4)
    return {**answer, "false images": len(false), "unplanted": unplanted, "false": false[:4]}


def by_finding(result: Check, planted: Planted) -> dict[str, str]:
    """Count planted leaks and label conflicts that are found as such."""
    names = list(result.catalogue.names)
    answer = {}
    for what in ("leaks", "label_conflicts"):
        found = together(result.findings[what], names)
        wanted = [pair for pair, (_, kind) in planted.copies.items() if kind == what]
        answer[what] = f"{sum(pair in found for pair in wanted)} of {len(wanted)}"
    return answer


def photographs(seed: int, side: int = SIDE) -> Iterator[dict[str, object]]:
    """Plant copies among tiles of photographs; give what each program finds."""
    with tempfile.TemporaryDirectory() as folder:
        images = tiles(seed, side)
        planted = Planted(Path(folder), images, list(CHANGES), 0.5, seed)
        clock = time.perf_counter()
        result = check(folder)
        took = time.perf_counter() - clock
        total = len(result.catalogue)
        pairs = together(result.findings["duplicates"], list(result.catalogue.names))
        yield {"program": "vitrail", **score(planted, pairs, total), **by_finding(result, planted), "seconds": took}
        for name, rival in RIVALS.items():
            if importlib.util.find_spec(name.split()[0]):
                clock = time.perf_counter()
                pairs = rival(Path(folder))
                yield {"program": name, **score(planted, pairs, total), "seconds": time.perf_counter() - clock}
    with tempfile.TemporaryDirectory() as folder:
        wall = tiles(seed, side, textures=True)
        Planted(Path(folder), [*wall, ("other", images[0][1])], ["exact"], 0.0, seed)
        items = check(folder).findings["duplicates"]
        yield {"tiles of brick.png": len(wall), "in a pair": len({one for item in items for one in item.images})}


def cleanvision(root: Path) -> set[tuple[str, str]]:
    """Search with cleanvision as its documentation shows: exact and near duplicates."""
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(root), verbose=False)
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=1, verbose=False)
    groups = [group for kind in ("exact", "near") for group in lab.info[f"{kind}_duplicates"]["sets"]]
    named = [[Path(path).relative_to(root).as_posix() for path in group] for group in groups]
    return {(one, other) for group in named for one in group for other in group if one != other}


def imagededup(root: Path, threshold: int = 10) -> set[tuple[str, str]]:
    """Search with imagededup's PHash, by default within 10 of 64 bits."""
    from imagededup.methods import PHash

    found = PHash(verbose=False).find_duplicates(
        image_dir=str(root), max_distance_threshold=threshold, recursive=True,
        num_enc_workers=0, num_dist_workers=0,
    )  # fmt: skip
    return {(one, other) for one, others in found.items() for other in others}


RIVALS: dict[str, Callable[[Path], set[tuple[str, str]]]] = {"cleanvision": cleanvision, "imagededup": imagededup}


def fashion(seed: int) -> Iterator[dict[str, object]]:
    """Plant equal pictures among 10,000 of Fashion-MNIST, and count its own look-alikes apart."""
    samples = open_dataset("fashion-mnist").splits["test"]
    classes = list_data("fashion-mnist").vocabulary
    greys = [Image.fromarray(np.asarray(samples.image(number))[..., 0]) for number in range(len(samples))]
    images = [(classes[int(label)], grey) for label, grey in zip(samples.labels, greys, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        planted = Planted(Path(folder), images, ["exact"], 0.03, seed)
        clock = time.perf_counter()
        result = check(folder)
        took = time.perf_counter() - clock
        names = list(result.catalogue.names)
        exact = tuple(item for item in result.findings["duplicates"] if item.exact)
        near = tuple(item for item in result.findings["duplicates"] if not item.exact)
        copies = {name for pair in planted.copies for name in pair}
        own = {pair for pair in together(near, names) if not set(pair) & copies}
        alike = [max_correlation(*(pixels(Path(folder) / name) for name in pair)) for pair in sorted(own)]
        pairs = together(result.findings["duplicates"], names) & together(exact, names) | {
            pair for pair in together(near, names) if pair in planted.copies
        }
        yield {
            **score(planted, pairs, len(names)), **by_finding(result, planted), "seconds": took,
            "images in near pairs of its own": len({name for pair in own for name in pair}),
            "their least correlation": min(alike, default=1.0),
            "images in near pairs that correlate less than 0.95":
                len({name for pair, value in zip(sorted(own), alike, strict=True) if value < 0.95 for name in pair}),
        }  # fmt: skip


def pixels(path: Path) -> Pixels:
    """Read a grey image."""
    return np.asarray(Image.open(path).convert("L"))


def max_correlation(one: Pixels, other: Pixels, reach: int = 2) -> float:
    """Correlate two images pixel by pixel, over mirrorings and shifts of up to 2 pixels."""
    inner = one[reach:-reach, reach:-reach].ravel()
    best = -1.0
    for turned in (other, other[:, ::-1], other[::-1], other[::-1, ::-1]):
        for down in range(2 * reach + 1):
            for right in range(2 * reach + 1):
                part = turned[down : down + one.shape[0] - 2 * reach, right : right + one.shape[1] - 2 * reach]
                best = max(best, float(np.corrcoef(inner, part.ravel())[0, 1]))
    return best


def labels(seed: int, model: str, count: int = 2000) -> Iterator[dict[str, object]]:
    """Swap 5 % of the labels of images of Fashion-MNIST; give how many are among the most doubted."""
    from vitrail.evaluation.label_errors import doubt_labels
    from vitrail.jobs.frozen_features import FrozenFeatures
    from vitrail.jobs.predictor import load

    whole = open_dataset("fashion-mnist").splits["test"]
    samples = whole.take(np.random.default_rng(0).permutation(len(whole))[:count])
    features = FrozenFeatures(load(model, image_size=112)).of(samples).labelled.x
    random = np.random.default_rng(seed)
    swapped = random.permutation(count)[: count // 20]
    given = samples.labels.copy()
    given[swapped] = (given[swapped] + random.integers(1, 10, len(swapped))) % 10
    for name, x in (("features", features), ("pixels", samples.images.reshape(count, -1).astype(np.float32))):  # type: ignore[union-attr]
        found = doubt_labels(x, given, 10)
        order = np.argsort(-found.doubt)
        yield {
            "by": name,
            "swapped in the first 10 %": float(np.isin(swapped, order[: count // 10]).mean()),
            "swapped in the first 5 %": float(np.isin(swapped, order[: count // 20]).mean()),
            "suspects": int(found.suspect.sum()),
            "right class suggested": float((found.suggested[swapped] == samples.labels[swapped]).mean()),
        }


def speed(seed: int) -> Iterator[dict[str, object]]:
    """Time one look at each image, on one thread, without the search of near duplicates."""
    parts = [tile for _, tile in tiles(seed)]
    with tempfile.TemporaryDirectory() as folder:
        for name, size, suffix in (("500 × 375 JPEG", (500, 375), ".jpg"), ("96 × 96 PNG", (96, 96), ".png")):
            root = Path(folder) / suffix[1:]
            for number in range(600):
                place = root / f"class {number % 2}"
                place.mkdir(parents=True, exist_ok=True)
                parts[number % len(parts)].resize(size, Image.Resampling.BICUBIC).save(place / f"{number}{suffix}")
            listing = list_data(root)
            catalogue = catalogue_of(listing.vocabulary, listing.splits)
            clock = time.perf_counter()
            survey(catalogue, listing.splits, near=False, threads=1)
            yield {"files": name, "images a second": round(len(catalogue) / (time.perf_counter() - clock))}


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("photographs", "fashion", "labels", "speed"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[10])
    parser.add_argument("--model", default="hf:facebook/dinov2-small")
    parser.add_argument("--side", type=int, default=SIDE, help="of the tiles of photographs, in pixels")
    options = parser.parse_args()
    parts: dict[str, Callable[[int], Iterator[dict[str, object]]]] = {
        "photographs": partial(photographs, side=options.side),
        "fashion": fashion,
        "labels": partial(labels, model=options.model),
        "speed": speed,
    }
    for seed in options.seeds:
        for record in parts[options.part](seed):
            print(json.dumps({"seed": seed, **record}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
