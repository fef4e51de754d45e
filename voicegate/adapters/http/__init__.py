"""The HTTP doors: server on a Unix socket, requests and answers, problems, OpenAPI."""
