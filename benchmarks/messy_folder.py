"""A folder as people have them: 3,000 JPEG, PNG and WebP files, one in ten damaged in one of twelve ways.

    uv run python benchmarks/messy_folder.py --minutes 3

Writes Fashion-MNIST in colour at 96 pixels into class folders, damages some, trains on them with the command line as a
user would, and checks what came out: one JSON object, exit code 1 if a check fails.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pyarrow import parquet

import vitrail
from vitrail.data.sources import open_dataset

SIDE = 96
FORMATS = {
    ".jpg": ("JPEG", {"quality": 90}), ".png": ("PNG", {}), ".webp": ("WEBP", {"quality": 90}),
}  # fmt: skip
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def colour(grey: npt.NDArray[np.uint8], generator: np.random.Generator) -> Image.Image:
    """Show a grey image in a tint of its own, on a background of its own, at 96 pixels."""
    large = Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    part = np.asarray(large, dtype=np.float64)[..., None] / 255
    background, tint = generator.integers(0, 100, 3), generator.integers(120, 256, 3)
    pixels = background + part * (tint - background) + generator.normal(0, 4, (SIDE, SIDE, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write_folder(root: Path, files: int, seed: int) -> list[Path]:
    """Write sound files into class folders, the three formats in turn, some names in other scripts."""
    listing = open_dataset("fashion-mnist")
    samples = listing.splits["train"]
    generator = np.random.default_rng(seed)
    paths = []
    for number, index in enumerate(generator.permutation(len(samples))[:files].tolist()):
        folder = root / listing.classes[int(samples.labels[index])].replace("/", " ")
        folder.mkdir(parents=True, exist_ok=True)
        suffix = list(FORMATS)[number % 3]
        word = ("photo", "صورة", "写真", 'it\'s 100% "new"')[number % 4]
        path = folder / f"{word} {number:05d}{suffix}"
        fmt, options = FORMATS[suffix]
        colour(np.asarray(samples.image(index))[..., 0], generator).save(path, fmt, **options)
        paths.append(path)
    return paths


def cut(part: float) -> Callable[[Path], None]:
    """Make a damage that keeps the first part of a file."""

    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(part * len(content))])

    return damage


def filled(content: bytes) -> Callable[[Path], None]:
    """Make a damage that puts something else in the file's place."""
    return lambda path: path.write_bytes(content) and None


def wrong_magic(path: Path) -> None:
    """Overwrite the first sixteen bytes."""
    path.write_bytes(b"\0" * 16 + path.read_bytes()[16:])


def flipped(path: Path) -> None:
    """Turn the file into a PNG some of whose compressed pixels are flipped."""
    buffer = io.BytesIO()
    Image.open(path).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    start = content.index(b"IDAT") + 40
    for place in range(start, start + 400, 37):
        content[place] ^= 0x55
    path.write_bytes(content)


def dangling(path: Path) -> None:
    """Replace the file by a link to nothing."""
    path.unlink()
    path.symlink_to("somewhere else.jpg")


def bomb() -> bytes:
    """Give a PNG of some dozen bytes whose header claims 13,370 × 13,370 pixels."""
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", 13370, 13370, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(b"\0" * 99),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts.items()
    ]
    return PNG_SIGNATURE + b"".join(chunks)


def archive() -> bytes:
    """Give a zip file that holds a picture."""
    buffer, picture = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (9, 9)).save(picture, "PNG")
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("photo.png", picture.getvalue())
    return buffer.getvalue()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": filled(b""),
    "cut at 10 %": cut(0.1),
    "cut at 50 %": cut(0.5),
    "cut at 90 %": cut(0.9),
    "wrong magic": wrong_magic,
    "an error page in HTML": filled(b"<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>\n"),
    "text": filled(b"please find the photo attached\n" * 20),
    "a zip file": filled(archive()),
    "a bomb's header": filled(bomb()),
    "flipped bytes in PNG's pixels": flipped,
    "a dangling link": dangling,
    "SVG": filled(b'<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96"><circle r="40"/></svg>'),
}


def tree_sha256(root: Path) -> str:
    """Hash names, kinds, times and contents of everything below a folder."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        digest.update(f"{path.relative_to(root)}|{status.st_mode}|{status.st_size}|{status.st_mtime_ns}|".encode())
        digest.update(os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def command(*arguments: str) -> tuple[int, dict, str]:
    """Run vitrail in a process of its own; give exit code, the JSON that it prints, and stderr."""
    line = [sys.executable, "-m", "vitrail", *arguments, "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def check(root: Path, run: Path, damaged: dict[str, str], minutes: float) -> dict[str, object]:
    """Train, and compare everything that is said with what was done to the files."""
    before, clock = tree_sha256(root), time.perf_counter()
    code, fitted, errors = command("fit", str(root), "--minutes", str(minutes), "--out", str(run))
    if code:
        return {"exit 0": False, "error": errors[-2000:]}
    seconds = time.perf_counter() - clock
    with (run / "bad_files.csv").open(encoding="utf-8", newline="") as file:
        named = {row["path"]: row for row in csv.DictReader(file)}
    table = parquet.read_table(run / "predictions.parquet").to_pylist()
    test = [row["path"] for row in table]
    good = [path for path in test if path not in damaged]
    split = open_dataset(str(root), seed=0).splits["test"]
    _, predicted, _ = command("predict", str(run), str(root))
    answers = {os.path.relpath(answer["path"], root): answer for answer in predicted["predictions"]}
    predictor = vitrail.load(run)
    alone = {path: predictor.predict(root / path)[0] for path in good[:60]}
    _, evaluated, told = command("evaluate", str(run), str(root))
    page = (run / "report.html").read_text(encoding="utf-8")
    after = tree_sha256(root)
    off = max(abs(row["probability"] - answers[row["path"]]["probability"]) for row in table if not row["error"])
    checks = {
        "exit 0": code == 0,
        "every damaged file is named": set(damaged) <= set(named),
        "no sound file is named": set(named) <= set(damaged),
        "every reason names its file": all(str(root / path) in row["reason"] for path, row in named.items()),
        "predictions are in the order of the split": test == list(split.names),
        "labels are the folders": all(row["label"] == Path(row["path"]).parent.name for row in table),
        "errors are where the damaged files are": [r["path"] for r in table if r["error"]]
        == [p for p in test if p in damaged],
        "predict answers for every file": len(answers) == len(predicted["predictions"]) >= len(test),
        "predict says so too": {path for path, answer in answers.items() if answer["error"]} == set(damaged),
        "predict gives each file the same label": all(
            row["predicted"] == answers[row["path"]]["label"] for row in table
        ),
        "predict gives each file the same probability": off < 1e-4,
        "each file alone as well": all(
            abs(answer.probability - answers[path]["probability"]) < 1e-4 for path, answer in alone.items()
        ),
        "tree unchanged": before == after,
        "n is the number of good test files": fitted["n"] == len(good) == evaluated["n"],
        "the page counts the bad files": f"{len(damaged):,} images were left out" in page,
        "evaluate states the denominator": f"measured on {len(good):,} of {len(test):,} images" in told
        and len(evaluated["bad_files"]) == len(test) - len(good),
    }
    reasons = {kind: next(named[path]["reason"] for path in named if damaged.get(path) == kind) for kind in DAMAGES}
    return {
        "checks": checks, "passed": all(checks.values()), "files": len(answers), "damaged": len(damaged),
        "top1": fitted["top1"], "interval": fitted["interval"], "n": fitted["n"], "steps": fitted["steps"],
        "seconds": round(seconds, 1), "largest difference of a probability": off, "tree sha256": after,
        "a reason of each kind": {kind: reason.replace(str(root), "…") for kind, reason in reasons.items()},
    }  # fmt: skip


def main() -> int:
    """Write, damage, train, check, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0, help="of the folder; the training has seed 0")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "clothes"
        paths = write_folder(root, options.files, options.seed)
        victims = random.Random(options.seed).sample(paths, options.files // 10)
        damaged = {}
        for number, path in enumerate(victims):
            kind = list(DAMAGES)[number % len(DAMAGES)]
            DAMAGES[kind](path)
            damaged[str(path.relative_to(root))] = kind
        result = check(root, Path(folder) / "run", damaged, options.minutes)
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return 0 if result.get("passed") else 1


if __name__ == "__main__":
    sys.exit(main())
