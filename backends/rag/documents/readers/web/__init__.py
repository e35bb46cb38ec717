"""Web pages: parsed, without what nobody sees and what frames every page of a site, and written as Markdown."""
