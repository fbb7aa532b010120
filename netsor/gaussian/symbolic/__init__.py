"""What an integrand says before any number is put in: expressions only."""
