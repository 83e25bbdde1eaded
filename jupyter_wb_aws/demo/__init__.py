"""The demo: an identity provider and a local AWS, to try the extension without an AWS account."""
