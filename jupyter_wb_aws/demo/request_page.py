"""The demo's version of the page where a company's users ask for a role."""

from __future__ import annotations

from flask import Response

PATH = "/request-a-role"

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Ask for a role - the demo</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 34em; margin: 10vh auto; padding: 0 1em; }
</style>
</head>
<body>
<main>
<h1>Ask for an AWS role</h1>
<p>In your company, this link leads to the place for requesting roles: a form, a ticket system or a
mailbox. The administrator sets it in the roles file (<code>request_url</code>).</p>
<p>In the demo, nobody receives requests. Go back to JupyterLab; you can close this page.</p>
</main>
</body>
</html>
"""


def request_page() -> Response:
    """Return the page; it has no scripts and loads nothing from elsewhere."""
    response = Response(_PAGE, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
