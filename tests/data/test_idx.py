import struct

import numpy as np
import pytest

from arjax.data.images import parse_idx

ONE_LINE = r"\A[^\n]+; [^\n]+\Z"  # the fault; the remedy
CONTENT = b"\0\0\x08\x02" + struct.pack(">2I", 2, 3) + bytes([1, 2, 3, 4, 5, 255])


def fault(content, ndim=2):
    with pytest.raises(ValueError, match=ONE_LINE) as info:
        parse_idx(content, "some-file", ndim)
    message = str(info.value)
    assert message.startswith("some-file ")
    return message


def test_axes_are_big_endian_and_values_row_major():
    np.testing.assert_array_equal(parse_idx(CONTENT, "some-file", 2), [[1, 2, 3], [4, 5, 255]])


def test_what_is_not_idx_is_refused():
    assert "is not an IDX file: it starts with b'\\x89PNG'" in fault(b"\x89PNG\r\n" + CONTENT)
    assert "is not an IDX file" in fault(b"")


def test_other_types_than_bytes_are_refused():
    assert "type 0x0d" in fault(b"\0\0\x0d" + CONTENT[3:])


def test_the_number_of_axes_must_be_as_expected():
    assert "has 2 axes, not 3" in fault(CONTENT, ndim=3)


@pytest.mark.parametrize("length", [5, 11, 12, len(CONTENT) - 1])
def test_a_truncated_file_is_refused(length):
    assert "is truncated" in fault(CONTENT[:length])


def test_trailing_bytes_are_refused():
    assert "has trailing bytes: shape (2, 3) takes 18 bytes, not 19" in fault(CONTENT + b"\0")


def test_a_header_that_promises_more_than_any_memory_is_refused():
    assert "is truncated" in fault(b"\0\0\x08\x02" + struct.pack(">2I", 2**32 - 1, 2**32 - 1) + b"\0")
