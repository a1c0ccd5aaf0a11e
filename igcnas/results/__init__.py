"""What is made of a study once its networks are trained: tables, pictures, pages, and trainings beyond the search.

figures: the front, and how every picture is saved. report: one page, from numbers to words to HTML. comparison: studies
beside each other. importance: which choices matter. audit, retraining: networks trained again, longer or with other
seeds. dashboard: a study in optuna-dashboard. subject: what a command is asked to show.
"""
