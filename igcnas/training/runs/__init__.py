"""One network trained by a recipe: its data, its folder, its files, its evaluation."""
