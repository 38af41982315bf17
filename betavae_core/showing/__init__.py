"""What a chapter puts on the page: figures, tables, diagrams and interactive pictures."""
