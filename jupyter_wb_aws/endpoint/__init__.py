"""The credential endpoint: gives a process the credentials of its role session, over HTTP on loopback."""
