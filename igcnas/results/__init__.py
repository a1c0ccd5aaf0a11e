"""What is made of a study once its networks are trained: tables, pictures, pages, and trainings beyond the search.

best: the export of a network. figures: the front, and the axis of accuracy. table: rows for a terminal, Markdown, CSV
and JSON. report: one page, from numbers to words to HTML. comparison: studies beside each other. importance: which
choices matter. audit, retraining: networks trained again, longer or with other seeds. dashboard: a study in
optuna-dashboard. subject: what a command is asked to show.
"""
