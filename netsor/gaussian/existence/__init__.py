"""Whether an expectation exists, decided from the expression, along rays, and near zeros of divisors."""
