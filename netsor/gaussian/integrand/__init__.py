"""The integrand left for quadrature: F of standard normals, with its breaks and transition regions."""
