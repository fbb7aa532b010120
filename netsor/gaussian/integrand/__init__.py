"""What is left to integrate numerically: F of standard normals, and all that is known of where it breaks and turns."""
