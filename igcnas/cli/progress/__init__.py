"""Progress of what trains: lines in a log, and on a terminal the same lines above a bar.

display: that, whatever is shown. clock: how long it will take. search, train, campaign: what each of them shows.
"""
