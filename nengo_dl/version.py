"""Version and licence of the package, as plain strings."""

__version__ = "4.0.0.dev0"
__license__ = "MIT"
__copyright__ = "Copyright (c) 2026 nengo_dl contributors"
