"""The words that the tiny model and its vocabulary know."""

WORDS = """
the a dog cat tree house child river moon stone sleep run runs running walks talked old red
and in on under of to it was very wonderful understanding somewhere some night nightfall
""".split()  # noqa: SIM905
