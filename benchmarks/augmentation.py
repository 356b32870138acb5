"""What augmentation costs: images/s of each kind, on whole batches:   python benchmarks/augmentation.py --device cpu"""

import argparse
import time

import torch
from torchvision.transforms import v2

from trainyard.data.loading.hashing import sample_keys
from trainyard.data.loading.transforms import AUGMENTATIONS, OPERATIONS, Pixels

BATCH, SIDE = 128, 32
OWN = {"torchvision's RandAugment, image by image": [v2.RandAugment()]}


def rate(pixels: Pixels, device: str, seconds: float) -> float:
    """Images per second, after one batch to warm up."""
    images = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), dtype=torch.uint8, device=device)
    keys = sample_keys(0, 0, torch.arange(BATCH)).to(device)
    pixels = pixels.to(device)
    count, started = -1, 0.0
    while count < 3 or time.perf_counter() - started < seconds:
        pixels(images, keys + count)
        if device != "cpu":
            torch.cuda.synchronize()
        count += 1
        started = started or time.perf_counter()
    return count * BATCH / (time.perf_counter() - started)


def main() -> None:
    """Print a row for each set, each operation, and a transform image by image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each kind")
    options = parser.parse_args()
    where = f"{torch.get_num_threads()} threads" if options.device == "cpu" else torch.cuda.get_device_name()
    print(f"{BATCH} images of {SIDE} x {SIDE}, {where}")
    kinds = {name: name for name in AUGMENTATIONS} | {f"[{name}]": [name] for name in OPERATIONS} | OWN
    for name, augment in kinds.items():
        print(f"{name:46s}{rate(Pixels([0.5], [0.3], augment), options.device, options.seconds):12,.0f} images/s")


if __name__ == "__main__":
    main()
