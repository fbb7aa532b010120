"""The limits of one program for many inputs: its Z's are written once, its numbers are arrays over inputs and pairs."""
