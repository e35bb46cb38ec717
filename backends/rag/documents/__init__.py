"""Files become text and chunks: found, checked, parsed in a process of their own."""
