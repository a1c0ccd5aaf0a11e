"""Does the short training of a study rank its networks rightly? A sample is trained long, and the orders compared.

sampling    which networks: over all bands of cost, over good and bad ones
folder      studies/NAME/audit-EPOCHS/: what was drawn, and one file a training
long        the long trainings, a campaign
rows        what is known of each network then
agreement   Kendall's tau-b, Spearman's rho, intervals, recall and regret: arrays in, numbers out
result      all measures of an audit, beside the ceiling of seed noise and beside counts and zero-cost scores
verdict     what they say, in one sentence
table, figure   audit.md, audit.csv, audit.png, audit.svg
reading     an audit that was made, from its folder
"""
