"""How well a trained network answers: on which images it errs, on which classes, and how far to believe its shares.

answers: logits and labels of a split, with the mistakes that it was surest of. asking: how they are had. numbers: what
follows from them.
temperature: what makes shares agree with frequencies. figures: pictures of that. writing: all of it as files. table:
classes in rows. kept: what was computed for the exported network of a study, read back.
"""
