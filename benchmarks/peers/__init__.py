"""The same networks in other frameworks, each in an environment of its own."""
