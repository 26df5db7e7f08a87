"""Scorer of candidate words by a language model whose prompt is the brain."""

from __future__ import annotations

from itertools import chain

import numpy as np

from brainlm.decoding.soft_prompt import SoftPrompt, prompted_states
from brainlm.decoding.stimulus_model import RowWindow
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.language_models import LanguageModel
from brainlm.language_models.heads import head_logits


class PromptedModel:
    """Log probability of a word behind the prompt that the responses make.

    ::

        gain(w) = log p(first token of w | prompt(x), words before)

    within the first tokens of the vocabulary; words that begin with the same token get the same
    gain, and the proposals of the language model without a prompt tell them apart. x are the
    responses after the row in which the word has its largest weight.

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
        import torch

        row = rows.first + int(np.argmax(rows.weights()))
        row = min(max(row, 0), len(self._vectors) - 1)
        recent = history[:, max(0, history.shape[1] - int(self.prompt.context[0])) :]
        tokens = self.vocabulary.tokens
        texts = [list(chain.from_iterable(tokens[word] for word in line)) for line in recent]
        with torch.inference_mode():
            vectors = torch.from_numpy(np.repeat(self._vectors[row : row + 1], len(texts), axis=0))
            states, first = prompted_states(self.model, vectors, texts)
            last = torch.tensor([first + len(text) - 1 for text in texts])
            logits = head_logits(self.model, states[torch.arange(len(texts)), last])
            chosen = torch.from_numpy(self._tokens).to(logits.device)
            log_p = logits[:, chosen].log_softmax(-1).cpu().numpy()
        return log_p[parents, self._first[words]]
