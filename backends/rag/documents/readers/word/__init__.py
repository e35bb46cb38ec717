"""Word documents: styles, list numbers, the text of a paragraph, and the blocks of a document."""
