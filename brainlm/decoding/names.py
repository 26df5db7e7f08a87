"""Names of mappers, scorers and factors, apart from the code that they name.

The options of the command line list them; importing that code would take seconds.
"""

from __future__ import annotations

from typing import Any

MAPPERS = ("ridge", "linear-contrastive", "transformer")
SCORERS = ("likelihood", "similarity", "mixture")
PROMPT = "soft-prompt"
RECORDED = ("likelihood", "similarity", PROMPT)  # of recordings: a mixture takes a tuning story
LABELS = {  # in tables
    "likelihood": "Tang",
    "similarity": "MapGuide",
    "mixture": "Mixture",
    PROMPT: "BrainLLM",
}
TRAINED = {"mapper": "transformer"}
FACTORS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "snr": ((0.0, 0.3, 1.0, 3.0), {}),
    "scorer": (SCORERS, {}),
    "mapper": (MAPPERS, {}),
    "masking": ((0.0, 0.4, 0.8), TRAINED),
    "contrast": ((0.0, 0.1, 1.0), TRAINED),
    "lm_weight": ((0.0, 0.3, 1.0), {}),
    "width": ((2, 8, 16), {}),
    "extensions": ((1, 5, 20), {}),
    "n_targets": ((50, 150, 500), {}),
    "minutes": ((15.0, 30.0, 0.0), {}),
    "n_inputs": ((2, 8, 32, 128), {}),
    "n_components": ((8, 32, 128), {}),
}
