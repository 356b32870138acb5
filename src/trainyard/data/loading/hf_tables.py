"""Tables that Hugging Face's `datasets` reads from local files. Nothing is downloaded, and no code in them is run."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from trainyard.data.loading.announce import announced

READERS = {  # the suffix of a file, and what reads it
    ".parquet": "from_parquet", ".arrow": "from_file", ".json": "from_json", ".jsonl": "from_json", ".csv": "from_csv",
}  # fmt: skip
SPLITS = {"train": ("train",), "val": ("validation", "val", "valid", "dev"), "test": ("test",)}  # names of a split
SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"  # what `save_to_disk` leaves in a folder


def package() -> Any:
    """The package `datasets`; ValueError, with the extra, if it is not installed."""
    try:
        import datasets  # pyright: ignore
    except ImportError as error:
        raise ValueError(
            "tables of Hugging Face need a package that is not installed: pip install 'trainyard[datasets]'"
        ) from error
    if not hasattr(datasets, "Dataset"):  # a folder or a file of the user's own, of the same name
        where = getattr(datasets, "__file__", None) or next(iter(datasets.__path__))
        raise ValueError(f"tables of Hugging Face need the package datasets, and {where} hides it; rename that")
    datasets.disable_progress_bars()
    return datasets


def open_tables(path: str | Path | None) -> dict[str, Any]:
    """The tables of `train`, `val` and `test`, as far as they are there; ValueError if none can be read.

    `path` is what `save_to_disk` has written, a file, or a folder of files that are named after their splits.
    """
    if path is None:
        raise FileNotFoundError(
            "data.path is required: a folder of save_to_disk, or files of parquet, arrow, json or csv"
        )
    place = Path(path).expanduser()
    if not place.exists():
        raise FileNotFoundError(
            f"data.path={path} is no local file or folder, and nothing is downloaded; where there is a network, "
            f"python -c \"import datasets; datasets.load_dataset('{path}').save_to_disk('FOLDER')\" writes one"
        )
    return _open(place.resolve(), newest(place))


def newest(place: Path) -> int:
    """When a file of a place was changed last, in nanoseconds."""
    return max([file.stat().st_mtime_ns for file in files_below(place)], default=0)


def files_below(place: Path) -> list[Path]:
    """The files of a place: itself, or all in the folder, but hidden ones."""
    if place.is_file():
        return [place]
    found = (file for file in place.rglob("*") if file.is_file())
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(place).parts))


@lru_cache(maxsize=2)
def _open(place: Path, changed: int) -> dict[str, Any]:
    datasets = package()
    try:
        with announced(f"opening {place}"):
            if (place / SAVED_SPLITS).is_file():
                saved = datasets.DatasetDict.load_from_disk(str(place))
                found = {split: saved[name] for split, names in SPLITS.items() for name in names if name in saved}
                if "train" not in found:
                    raise ValueError(f"data.path={place} has the splits {', '.join(saved)}, and no train")
                return found
            if (place / SAVED).is_file():
                return {"train": datasets.Dataset.load_from_disk(str(place))}
            return read_files(datasets, place)
    except (OSError, ValueError, TypeError, KeyError, datasets.exceptions.DatasetsError) as error:
        if isinstance(error, ValueError) and "data.path" in str(error):
            raise
        raise ValueError(f"data.path={place} cannot be read ({(str(error).splitlines() or [''])[0]})") from error


def read_files(datasets: Any, place: Path) -> dict[str, Any]:
    """The tables of a file, or of the files in a folder."""
    files = [file for file in files_below(place) if file.suffix.lower() in READERS]
    if place.is_file():
        named = {"train": files}
    else:
        named = {split: [file for file in files if is_of(file, names)] for split, names in SPLITS.items()}
    if not named["train"]:
        raise ValueError(
            f"data.path={place} has no table of training samples: it must be a folder of save_to_disk, a file "
            f"({', '.join(READERS)}), or a folder of such files named train, test and optionally validation"
        )
    return {split: read_table(datasets, parts) for split, parts in named.items() if parts}


def is_of(file: Path, names: tuple[str, ...]) -> bool:
    """Whether a file is named after a split: train.csv, or train-00000-of-00002.parquet."""
    return any(file.name.startswith((f"{name}.", f"{name}-")) for name in names)


def read_table(datasets: Any, files: list[Path]) -> Any:
    """A table of one or several files of one kind."""
    suffix = files[0].suffix.lower()
    if other := next((file for file in files if file.suffix.lower() != suffix), None):
        raise ValueError(f"data.path: {files[0].name} and {other.name} are of two kinds; remove one")
    read = getattr(datasets.Dataset, READERS[suffix])
    if suffix == ".arrow":
        return datasets.concatenate_datasets([read(str(file)) for file in files])
    return read([str(file) for file in files])
