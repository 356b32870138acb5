"""A folder of JPEGs, an epoch of torchvision's ImageFolder beside one of data=image_folder:

    python benchmarks/image_folder.py --images 4000 --side 256 --size 224 --workers 2 [--threads 1]

Both scale, crop, flip at random and normalize, in batches of 128. The images are generated, as large as photographs'
files are. Prints what decoding them once costs, and images/s of an epoch, the best of some, taken by turns; without
workers also by the processor's time, which other programs disturb less.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder as TorchvisionFolder

from trainyard.data.image_folder import ImageFolder
from trainyard.data.loading.decode import decode_file
from trainyard.hardware.platform_quirks import keep_freed_memory

BATCH, CLASSES = 128, ["a", "b"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def make_images(root: Path, count: int, side: int) -> None:
    """So many JPEGs to train on, and one of each class to test."""
    draw = np.random.default_rng(0)
    for split, number in (("train", count), ("test", len(CLASSES))):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
        for i in range(number):
            coarse = Image.fromarray(draw.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8))
            fine = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)) // 8 * 7
            image = Image.fromarray(fine + draw.integers(0, 16, (side, side, 1), dtype=np.uint8))
            image.save(root / split / CLASSES[i % 2] / f"{i}.jpg", quality=85)


def theirs(root: Path, size: int, workers: int) -> Iterable[Any]:
    """torchvision's loader."""
    transform = transforms.Compose([
        transforms.Resize(size), transforms.CenterCrop(size), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ])  # fmt: skip
    dataset = TorchvisionFolder(root / "train", transform)
    return DataLoader(dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def ours(root: Path, size: int, workers: int, **options: Any) -> tuple[ImageFolder, Iterable[Any]]:
    """Trainyard's data module, prepared, and its batches as the network gets them."""
    data = ImageFolder(
        root=str(root), shape=[3, size, size], classes=CLASSES, num_classes=2, mean=MEAN, std=STD, augment="flip",
        batch_size=BATCH, num_workers=workers, val_fraction=0.01, **options,
    )  # fmt: skip
    data.prepare_data()
    data.setup("fit")
    return data, data.train_dataloader()


def epoch(batches: Iterable[Any], finish: Callable[[Any], Any] = lambda batch: batch) -> tuple[float, float]:
    """Images per second of an epoch, and per second of this process's work."""
    count, started = 0, (perf_counter(), process_time())
    for batch in batches:
        finish(batch)
        count += len(batch[0])
    return count / (perf_counter() - started[0]), count / (process_time() - started[1])


def main() -> None:
    """Make the images, decode them, and take turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    keep_freed_memory()  # as every training
    size, workers = options.size, options.workers
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_images(root, options.images, options.side)
        files = list((root / "train").rglob("*.jpg"))
        kilobytes = sum(file.stat().st_size for file in files) / len(files) / 1e3
        started = perf_counter()
        for file in files[:200]:
            decode_file(file, (3, size, size))
        one = 1e3 * (perf_counter() - started) / len(files[:200])
        print(f"{options.images:,} JPEGs of {options.side} x {options.side}, {kilobytes:.0f} kB and {one:.1f} ms each")
        started = perf_counter()
        data, batches = ours(root, size, workers, in_memory_bytes=0)
        print(f"decoded once in {perf_counter() - started:.1f} s")
        every, each = ours(root, size, workers, in_memory_bytes=0, decode="every_epoch")
        rows: dict[str, list[tuple[float, float]]] = {}
        loader = theirs(root, size, workers)
        for _ in range(options.rounds):
            for name, rate in {
                "torchvision's ImageFolder": lambda: epoch(loader),
                "data.decode=every_epoch": lambda: epoch(each, lambda batch: every.transform(batch[0], batch[2].keys)),
                "data.decode=once": lambda: epoch(batches, lambda batch: data.transform(batch[0], batch[2].keys)),
                "data.decode=once, bytes": lambda: epoch(batches),
            }.items():
                rows.setdefault(name, []).append(rate())
    for clock, unit in enumerate(("s", "s of processor time")[: 2 if workers == 0 else 1]):
        best = {name: max(rate[clock] for rate in rates) for name, rates in rows.items()}
        first = next(iter(best.values()))
        for name, rate in best.items():
            print(f"{name:28s}{rate:10,.0f} images/{unit}   {rate / first:6.1f} x")


if __name__ == "__main__":
    main()
