import struct
from pathlib import Path

import numpy as np
import pytest
from published_copies import mat

from trainyard.data.loading.matlab import read_matlab

ARRAYS = {"X": np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4), "y": np.array([[10], [2]], dtype=np.uint8)}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compress", [True, False])
def test_arrays_are_read_in_their_own_order(compress: bool, order: str, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(mat(ARRAYS, compress, order))
    found = read_matlab(tmp_path / "a.mat")
    assert {name: array.tolist() for name, array in found.items()} == {k: v.tolist() for k, v in ARRAYS.items()}
    assert found["X"].dtype == np.uint8


@pytest.mark.parametrize("compress", [True, False])
def test_it_reads_what_scipy_writes(compress: bool, tmp_path: Path) -> None:
    """An independent writer of the format: numbers of every type, and what is no array of numbers."""
    io = pytest.importorskip("scipy.io", reason="scipy, with which the reader is compared, is not installed")
    arrays = {**ARRAYS, "wide": np.array([[1.5, -2.0]]), "whole": np.array([[3, -70000]]), "small": np.int16([[7]])}
    others = {"text": "words", "cells": np.array([1, "a"], dtype=object), "complex": np.array([1j])}
    io.savemat(tmp_path / "a.mat", {**arrays, **others}, do_compression=compress)
    found = read_matlab(tmp_path / "a.mat")
    assert {name: array.tolist() for name, array in found.items()} == {k: v.tolist() for k, v in arrays.items()}


@pytest.mark.parametrize("compress", [True, False])
def test_a_truncated_file_is_refused_wherever_it_ends(compress: bool, tmp_path: Path) -> None:
    whole, file = mat({"X": ARRAYS["X"]}, compress), tmp_path / "a.mat"
    for end in range(129, len(whole)):
        file.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"a.mat is damaged \(.*\); delete it and try again"):
            read_matlab(file)


def test_changed_bytes_give_an_array_or_a_refusal(tmp_path: Path) -> None:
    whole, file = mat({"X": ARRAYS["X"]}, compress=False), tmp_path / "a.mat"
    for place in range(128, len(whole)):
        file.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            read_matlab(file)
        except ValueError as error:
            assert "is damaged" in str(error)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n" + bytes(300), b"x" * 128])
def test_another_format_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match="is not a .mat file of version 5"):
        read_matlab(tmp_path / "a.mat")


def test_numbers_that_do_not_fill_the_shape_are_refused(tmp_path: Path) -> None:
    whole = bytearray(mat({"X": ARRAYS["X"]}, compress=False))
    place = whole.index(struct.pack("<3i", 2, 3, 4))
    whole[place : place + 4] = struct.pack("<i", 5)
    (tmp_path / "a.mat").write_bytes(whole)
    with pytest.raises(ValueError, match=r"24 numbers, and the shape \[5, 3, 4\]"):
        read_matlab(tmp_path / "a.mat")
