"""What a user asks for: the only place that joins the rooms below it."""
