"""What a recipe's example does once it is there: each is run in a copy of the repository that followed its recipe."""
