"""Networks of a study trained to the end, on all images that are not the test split, and handed over.

plan.py        which networks, by which recipe, who teaches whom: fixed before anything is trained
teacher.py     who teaches: a network of the study, or the same network wider
training.py    the trainings: a campaign, one file each; killed anywhere, they go on
testing.py     the one reading of the test split, of the short training and of the long ones
handover.py    final/: the export of a finished network
table.py       what came out, as text and plain data
"""
