"""The catalogue of adapters: cards, import, export."""
