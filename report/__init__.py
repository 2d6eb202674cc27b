"""The reading side: explains and renders sessions; needs neither root nor BCC."""
