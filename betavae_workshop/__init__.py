"""What makes the book, trains networks in bulk and measures; nothing in `betavae_core` or in a chapter imports it."""
