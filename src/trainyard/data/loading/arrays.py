"""Arrays as .npy files that are whole or not there."""

import io
from pathlib import Path
from typing import IO

import numpy as np
import numpy.lib.format as array_format

from trainyard.files import write_durably


def save_array(file: Path, array: np.ndarray) -> None:
    """What np.save writes, flushed to the disk; OSError that names the file if it does not fit.

    (np.save ignores the error of its last bytes, and so leaves a file that is too short.)
    """
    header = io.BytesIO()
    array_format.write_array_header_1_0(header, array_format.header_data_from_array_1_0(array))

    def put(opened: IO[bytes]) -> None:
        opened.write(header.getvalue())
        opened.write(np.ascontiguousarray(array).data)

    write_durably(file, put)
