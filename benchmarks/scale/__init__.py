"""How a search grows: what the controller pays for a trial, by workers and by trials, and how good proposals stay."""
