"""Workbooks: values as their cells show them, sheet by sheet."""
