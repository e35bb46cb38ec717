"""What each approach costs in a month, when one becomes cheaper than another, and what a right answer costs.

All arithmetic is exact: Decimals as they are given, fractions in between, because a Decimal division rounds.
"""
