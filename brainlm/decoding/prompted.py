"""Scorer of candidate words by a language model whose prompt is the brain."""

from __future__ import annotations

import numpy as np

from brainlm.decoding.cached_texts import read_tree
from brainlm.decoding.soft_prompt import SoftPrompt
from brainlm.decoding.stimulus_model import RowWindow
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.language_models import LanguageModel


class PromptedModel:
    """Log probability of a word behind the prompt that the responses make.

    ::

        gain(w) = log p(first token of w | prompt(x), words before)

    within the first tokens of the vocabulary; words that begin with the same token get the same
    gain, and the proposals of the language model without a prompt tell them apart. x are the
    responses after the row in which the word has its largest weight. As in training, the words
    before are the last ``context`` words before that row and those inside it; within a row only the
    new word is read.

    Parameters
    ----------
    model : LanguageModel
    vocabulary : Vocabulary
    prompt : SoftPrompt
    X : array of shape (n_rows, n_inputs)
        Responses after each row; rows without all of their lags hold the mean of training.
    """

    needs_states = False
    cumulative = True
    reads_words = True
    reach = 0

    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, prompt: SoftPrompt, X: np.ndarray
    ) -> None:
        self.model, self.vocabulary, self.prompt = model, vocabulary, prompt
        self._vectors = prompt.vectors(X)
        self._tokens = np.array(sorted(vocabulary.root.children))
        places = np.searchsorted(self._tokens, [word[0] for word in vocabulary.tokens])
        self._first = places  # of each word, among those tokens
        self._row, self._history = -1, np.zeros((0, 0), dtype=np.int32)

    def gains(self, rows: RowWindow, parents: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Refuse: embeddings alone are not enough, see ``word_gains``."""
        raise ValueError("a soft prompt scores words, not embeddings: it has word_gains")

    def word_gains(
        self, rows: RowWindow, parents: np.ndarray, history: np.ndarray, words: np.ndarray
    ) -> np.ndarray:
        """Return the log probability of each candidate, (n_candidates,).

        Parameters
        ----------
        rows : RowWindow
        parents : array of int, shape (n_candidates,)
            Which hypothesis each candidate extends.
        history : array of int, shape (n_hypotheses, n_words)
            Words of each hypothesis.
        words : array of int, shape (n_candidates,)
        """
        row = rows.first + int(np.argmax(rows.weights()))
        self._advance(min(max(row, 0), len(self._vectors) - 1), history)
        log_p = self._texts.logits[:, self._tokens].float().log_softmax(-1).cpu().numpy()
        return log_p[parents, self._first[words]]

    def _advance(self, row: int, history: np.ndarray) -> None:
        """Read on what the hypotheses have gained since the last call, or begin with a new row."""
        last = {words.tobytes(): place for place, words in enumerate(self._history)}
        grown = history.shape[1] == self._history.shape[1] + 1 and row == self._row
        before = [last.get(words.tobytes(), -1) for words in history[:, :-1]] if grown else [-1]
        if min(before) < 0:
            window = history[:, max(0, history.shape[1] - int(self.prompt.context[0])) :]
            vectors = self._vectors[row]
            self._texts = read_tree(self.model, window, self.vocabulary.tokens, vectors)
        else:
            self._texts.select(np.array(before))
            self._texts.read([self.vocabulary.tokens[word] for word in history[:, -1]])
        self._row, self._history = row, np.ascontiguousarray(history)
