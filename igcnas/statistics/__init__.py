"""What repeated trainings and competing networks can prove: numbers in, numbers out; nothing here knows a study.

intervals: means, spreads and tests. permutation: exact tests. pareto: fronts and what they are worth.
noise: what an accuracy may be off. racing: who is really first, and whom to train again.
"""
