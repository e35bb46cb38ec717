"""Question sets and how answers to them are judged. Imports `backends`, never the other way round."""
