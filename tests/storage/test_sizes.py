"""Sizes of downloads, as people read them."""

import pytest

from brainlm.storage.downloads import readable_size


@pytest.mark.parametrize(
    ("n_bytes", "expected"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (999, "999 B"),
        (1250070, "1.3 MB"),
        (34705911, "35 MB"),
        (999_600, "1.0 MB"),
        (16_060_000_000, "16 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_a_size_is_written_as_people_do(n_bytes, expected):
    assert readable_size(n_bytes) == expected
