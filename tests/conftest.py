"""Makes the helpers of this folder importable by the tests of every folder."""
