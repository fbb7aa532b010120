"""The limits of one program for many inputs: Z's are derived once, numbers are arrays over inputs and pairs."""
