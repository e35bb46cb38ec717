"""The Costs page: what a month costs, from when on what is cheaper, what was spent."""
