"""An identity provider and a local AWS, so that everything can be tried without an account."""
