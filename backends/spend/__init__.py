"""What answers cost: prices, expectations, caps, and the ledger of what was charged."""
