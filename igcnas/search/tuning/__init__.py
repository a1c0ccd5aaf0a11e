"""A part of a study's time is spent on the recipe first: a few are tried on the baselines, and the best is kept.

record: what was tried and chosen, as the settings of the study keep it. plan: which recipes, and how long each is
tried. trainings: the campaign that tries them. The search then trains everything by what was chosen.
"""
