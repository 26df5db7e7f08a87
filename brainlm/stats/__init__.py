"""Statistics: permutation tests, paired comparisons, rankings and noise ceilings."""
