"""All golden cases of the core: importing this module registers them."""

from golden import core_cogbench as _cogbench
from golden import core_comparison as _comparison
from golden import core_decoding as _decoding
from golden import core_encoding as _encoding
from golden import core_features as _features
from golden import core_readers as _readers
from golden import core_reconstruction as _reconstruction
from golden import core_statistics as _statistics

AREAS = (
    _cogbench,
    _comparison,
    _decoding,
    _encoding,
    _features,
    _readers,
    _reconstruction,
    _statistics,
)
