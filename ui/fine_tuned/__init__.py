"""The sections of the fine-tuning page."""
