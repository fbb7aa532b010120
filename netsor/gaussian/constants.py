"""The numbers that decide between methods, each measured by `benchmarks/constants.py` or with the reason beside it."""

# How much better a number is found than was asked for, by dimension: in few more digits are cheap, and what is built on
# a number wants them. No rule is asked for more than `FINEST` of E|F|.
SPARE, SPARE_ELSE = {2: 1e-4, 3: 0.3}, 0.5
COARSEST, FINEST = 1e-6, 1e-13

# A lattice is for what is at most so many times steeper than tanh, in up to four variables; beyond these any rule with
# panels is dearer. Smooth functions of curved arguments may turn somewhat faster, and are looked at from a few places.
LATTICE_SLOPE = 4.0
LATTICE_STEEP = 5.0
# Where a lattice gets this far no other rule in as many dimensions gets farther.
LATTICE_ENOUGH = {2: 1e-12, 3: 1e-9, 4: 1e-6, 5: 1e-6, 6: 1e-6}
# Widths of kinks in standard deviations that a lattice sees as smooth.
SOFT_ENOUGH = 0.4

# No number of draws that there is time for gets farther than this part of E|F|.
BEYOND_DRAWS = 1e-6

# Parts of the time that there is, for nested panels and for those that are halved, by dimension (None: all of it). In
# three variables the latter are mostly the better ones.
NESTED_SHARE = {3: 0.1, 4: 0.5, 5: 0.5, 6: 0.5}
ADAPTIVE_SHARE = {2: None, 3: 0.8, 4: 0.5}

# Common factors of a covariance: up to so many a sharp kink is borne; so many variables and more are worse than one.
FEW_FACTORS, MANY_VARIABLES = 2, 6
# Below so many forms Stein's lemma is no better than a quadrature.
FEWEST_FORMS = 3

# Where less than this of ab is left of ab − c² the covariances do not tell the angle of a pair to all digits.
NEARLY_PARALLEL = 1e-4
