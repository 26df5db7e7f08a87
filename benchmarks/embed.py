"""How fast and in how much memory a text becomes layer features; one run, ratios.

    python benchmarks/embed.py --model smollm2 --words 1024

Prints a table and JSON. Targets: 100 times one forward pass per word, 0.8 of the bare forward
pass over the same windows, cache 100 times, a book in less than 2 GiB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import shutil
import tempfile
import time

import numpy as np

from brainlm.data.stimulus import Stimulus
from brainlm.language_models import LanguageModel
from brainlm.language_models import hidden_states as hidden
from brainlm.language_models.tokens import tokenize
from brainlm.language_models.windows import assemble, overlapping_spans

TARGETS = {
    "windows / one pass per word": ">= 100",
    "windows / bare forward": ">= 0.8",
    "second call / first call": ">= 100",
    "surprisal / bare forward": "",
    "peak memory of a book, GiB": "< 2",
}


def text(n_words: int, seed: int = 0) -> Stimulus:
    import wordfreq

    words = wordfreq.top_n_list("en", 5000)
    p = np.array([wordfreq.word_frequency(word, "en") for word in words])
    rng = np.random.default_rng(seed)
    return Stimulus(rng.choice(words, n_words, p=p / p.sum()).tolist(), "en")


def seconds(*calls, repeats: int = 1) -> list[float]:
    """Return the shortest time of each call; they take turns, so what slows one slows all."""
    times = np.full((repeats, len(calls)), np.inf)
    for row in times:
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            row[i] = time.perf_counter() - start
    return times.min(axis=0).tolist()


def bare_forward(model: LanguageModel, stimulus: Stimulus, context: int) -> None:
    """Run the network over the windows that embed uses, and keep nothing."""
    import torch

    tokens = tokenize(model.tokenizer, [stimulus.words.tolist()], "en")
    spans = overlapping_spans(tokens, context, model.window - len(model.frame))
    windows = assemble(tokens, spans, model.frame, "last")
    for batch in windows.batches(hidden.BATCH_TOKENS, model.batch_size):
        ids, mask = (torch.from_numpy(a).to(model.device) for a in batch.padded(0))
        with torch.inference_mode():
            model.network(input_ids=ids, attention_mask=mask.long(), use_cache=False)
    if model.device != "cpu":
        torch.cuda.synchronize()


def speed(name: str, dtype: str, device: str, n_words: int, context: int, n_exact: int) -> dict:
    stimulus = text(n_words)
    model = LanguageModel(name, dtype=dtype, device=device)
    bare_forward(model, text(2 * context), context)  # warm up
    bare, windows, surprisal = seconds(
        lambda: bare_forward(model, stimulus, context),
        lambda: model.embed(stimulus, context=context),
        lambda: model.surprisal(stimulus, context=context),
        repeats=4,
    )

    # One forward pass per word, as a loop over the last words of the text does it.
    single = LanguageModel(name, dtype=dtype, device=device, batch_size=1)
    single.network = model.network
    words = stimulus.words.tolist()
    texts = [words[i - context : i + 1] for i in range(n_words - n_exact, n_words)]
    one_by_one = [Stimulus(each, "en") for each in texts]
    (exact,) = seconds(
        lambda: [single.embed(each, context="document") for each in one_by_one], repeats=2
    )
    first = np.inf
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            kept = LanguageModel(name, dtype=dtype, device=device, cache=folder)
            kept.network = model.network
            first = min(first, *seconds(lambda: kept.embed(stimulus, context=context)))  # noqa: B023
            (second,) = seconds(lambda: kept.embed(stimulus, context=context), repeats=3)  # noqa: B023
    return {
        "dtype": dtype,
        "device": device,
        "words per second": n_words / windows,
        "words per second, one pass per word": n_exact / exact,
        "windows / one pass per word": (n_words / windows) / (n_exact / exact),
        "windows / bare forward": bare / windows,
        "surprisal / bare forward": bare / surprisal,
        "second call / first call": first / second,
    }


def peak_memory() -> int:
    """Return the most memory this process had, in bytes (Linux; getrusage counts its parent)."""
    with open("/proc/self/status") as status:
        return next(int(row.split()[1]) for row in status if row.startswith("VmHWM")) * 1024


def _stream(name: str, n_words: int, queue) -> None:
    """Stream a book whose hidden states come from a stand-in, so that only the path is measured."""
    model = LanguageModel(name, cache=tempfile.mkdtemp())
    model.network = None
    drawn = np.random.default_rng(0).standard_normal((1, 4096, model.n_features), np.float32)

    def stand_in(_, batch, layers):
        return np.repeat(drawn[:, : len(batch.rows)], len(layers), axis=0)

    hidden._forward = stand_in
    start = time.perf_counter()
    spaces = model.embed(text(n_words), context=256)
    took = time.perf_counter() - start
    size = len(spaces) * spaces[0].values.nbytes
    shutil.rmtree(model.cache)
    queue.put((peak_memory() / 2**30, size / 2**30, took))


def book(name: str, n_words: int) -> dict:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_stream, args=(name, n_words, queue))
    process.start()
    peak, size, took = queue.get(timeout=3600)
    process.join()
    return {
        "book, words": n_words,
        "book on disk, GiB": size,
        "peak memory of a book, GiB": peak,
        "writing and reading a book, s": took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--words", type=int, default=1024)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--exact", type=int, default=8, help="words with one pass each")
    parser.add_argument("--dtypes", default="float32,bfloat16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--book", type=int, default=100_000, help="words of the book; 0: none")
    given = parser.parse_args()
    if given.words <= given.context + given.exact:
        parser.error("--words must exceed --context by more than --exact")
    results = [
        speed(given.model, dtype, given.device, given.words, given.context, given.exact)
        for dtype in given.dtypes.split(",")
    ]
    if given.book:
        results.append(book(given.model, given.book))
    for result in results:
        for key, value in result.items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            print(f"{key:40s} {shown!s:>12s}   {TARGETS.get(key, '')}")
        print()
    machine = {"machine": platform.machine(), "system": platform.system()}
    print(json.dumps({**vars(given), **machine, "results": results}))


if __name__ == "__main__":
    main()
