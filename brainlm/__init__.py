"""brainlm: find which features of language predict the brain, and read text back out of it.

The public names are listed in ``__init__.pyi``, where editors and type checkers find them. They are
loaded when they are first used, so ``import brainlm`` is quick and loads neither torch nor
transformers.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
