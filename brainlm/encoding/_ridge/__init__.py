"""Ridge solvers behind the estimators of `brainlm.encoding`."""
