"""The thresholds between methods, each measured by `benchmarks/constants.py` or explained by its comment."""

# By dimension, the share of the tolerance that a rule aims at, because in few dimensions further digits are cheap and
# useful to whatever is computed from the result. No rule aims below FINEST or above COARSEST, relative to E|F|.
SPARE, SPARE_ELSE = {2: 1e-4, 3: 0.3}, 0.5
COARSEST, FINEST = 1e-6, 1e-13

# A lattice is used for slopes up to LATTICE_SLOPE times that of tanh, in up to four variables; in more variables panels
# cost more than it in any case. Smooth functions of curved arguments may be steeper, up to LATTICE_STEEP at the sampled
# places.
LATTICE_SLOPE = 4.0
LATTICE_STEEP = 5.0
# By dimension, the relative error of a lattice at which no other rule would be more accurate.
LATTICE_ENOUGH = {2: 1e-12, 3: 1e-9, 4: 1e-6, 5: 1e-6, 6: 1e-6}
# The width of a kink, in standard deviations, from which a lattice treats it as smooth.
SOFT_ENOUGH = 0.4

# Up to so many variables lattices and panels find more digits than a mean over points.
FEW = 4

# The relative error below which quasi-Monte Carlo cannot get in any realistic time.
BEYOND_DRAWS = 1e-6

# By dimension, the share of the time for nested panels and for adaptive panels (None: all of it). In three variables
# the adaptive ones are better for most integrands.
NESTED_SHARE = {3: 0.1, 4: 0.5, 5: 0.5, 6: 0.5}
ADAPTIVE_SHARE = {2: None, 3: 0.8, 4: 0.5}

# Common factors of a covariance: with at most FEW_FACTORS factors a sharp kink is accepted; MANY_VARIABLES or more
# variables are always worse than one factor.
FEW_FACTORS, MANY_VARIABLES = 2, 6
# With fewer linear forms than this Stein's lemma is no better than a quadrature.
FEWEST_FORMS = 3

# Below this share of ab left in ab − c², the covariances do not determine the angle of a pair to full accuracy.
NEARLY_PARALLEL = 1e-4
