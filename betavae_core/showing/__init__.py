"""This folder makes what a chapter puts on its page: figures, tables, diagrams and interactive pictures."""
