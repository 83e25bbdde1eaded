# Settings for every user of the image; docs/administration.md explains them.
c.WbAwsApp.token_source = "oidc"
c.WbAwsApp.roles_file = "/etc/jupyter/aws-roles.toml"
c.OidcTokenSource.issuer = "https://idp.example.com"
c.OidcTokenSource.client_id = "jupyter"
