"""The commands of the terminal face, by what they are about. `crossroads.py` puts them together."""
