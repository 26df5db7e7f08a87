"""Scores that the organisers of the Chinese BabyLM challenge published for their baselines.

From the README of github SiyuanSong2004/evaluation-pipeline-2025 (commit 61fb3cb and later): scores
x 100 on the dev words and stories, the last layer of each model.
"""

from __future__ import annotations

import pandas as pd

ROWS = (
    ("Qwen3-0.6B", 55.0, 10.4),
    ("xlm-roberta-base", 55.6, 10.6),
    ("bert-base-chinese", 56.0, 10.5),
    ("chinese-bert-wwm-ext", 55.8, 10.4),
    ("roc-bert-base-zh", 55.6, 9.9),
    ("ChineseBERT-base", 55.6, 4.7),
    ("Zh-Pythia-14M", 55.7, 7.8),
    ("Zh-Pythia-70M", 56.0, 8.7),
    ("Zh-Pythia-160M", 56.0, 8.9),
    ("Zh-Pythia-410M", 56.1, 9.0),
    ("Zh-Pythia-1.4B", 56.1, 9.0),
    ("babylm-zh-bert-14M, epoch 3", 55.9, 9.0),
    ("babylm-zh-bert-14M, epoch 10", 55.8, 9.3),
    ("babylm-zh-bert-14M, epoch 20", 55.9, 9.5),
    ("babylm-zh-mamba-14M, epoch 3", 52.7, 9.1),
    ("babylm-zh-mamba-14M, epoch 10", 47.8, 9.7),
    ("babylm-zh-mamba-14M, epoch 20", 45.6, 9.1),
    ("babylm-zh-pythia-14M, epoch 3", 53.7, 8.3),
    ("babylm-zh-pythia-14M, epoch 10", 49.0, 8.0),
    ("babylm-zh-pythia-14M, epoch 20", 47.0, 8.0),
    ("babylm-zh-t5-14M, epoch 3", 55.5, 8.1),
    ("babylm-zh-t5-14M, epoch 10", 54.3, 8.4),
    ("babylm-zh-t5-14M, epoch 20", 53.3, 8.0),
)
BROKEN = "ChineseBERT-base"  # at chance in the tests of grammar of the same table


def published_scores() -> pd.DataFrame:
    """Return the published rows: ``model``, ``task``, ``score`` (r, not x 100)."""
    rows = [
        {"model": model, "task": task, "score": score / 100}
        for model, *scores in ROWS
        for task, score in zip(("word_fmri", "fmri"), scores, strict=True)
    ]
    return pd.DataFrame(rows)
