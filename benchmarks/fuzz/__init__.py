"""Files, names and command lines that somebody else made, thrown at everything that reads them."""
