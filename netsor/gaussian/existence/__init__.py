"""Whether an expectation exists: from the expression, and along rays and near divisors."""
