# Credentials of the role that the environment names, refreshed five minutes before they expire.

.kept <- new.env()

credentials <- function() {
  if (is.null(.kept$credentials) || Sys.time() > .kept$credentials$expiration - 5 * 60) {
    endpoint <- Sys.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    .kept$credentials <- NULL
    .kept$credentials <- if (endpoint != "") from_endpoint(endpoint) else assume_role_with_web_identity()
  }
  .kept$credentials
}

assume_role_with_web_identity <- function() {
  answer <- httr2::request(sts_url()) |>
    httr2::req_body_form(
      Action = "AssumeRoleWithWebIdentity",
      Version = "2011-06-15",
      RoleArn = Sys.getenv("AWS_ROLE_ARN"),
      RoleSessionName = Sys.getenv("AWS_ROLE_SESSION_NAME"),
      WebIdentityToken = readLines(Sys.getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), warn = FALSE)
    ) |>
    httr2::req_perform() |>
    httr2::resp_body_xml()
  list(
    key_id = xml_text(answer, "AccessKeyId"),
    secret = xml_text(answer, "SecretAccessKey"),
    token = xml_text(answer, "SessionToken"),
    expiration = as.POSIXct(xml_text(answer, "Expiration"), format = "%Y-%m-%dT%H:%M:%SZ", tz = "UTC")
  )
}

# As `get_container_credentials` of paws.common 0.8.10: one second, and a refusal's text is lost.
from_endpoint <- function(url) {
  token <- readLines(Sys.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), warn = FALSE)
  answer <- tryCatch(
    httr2::request(url) |>
      httr2::req_headers(Authorization = token) |>
      httr2::req_timeout(1) |>
      httr2::req_perform() |>
      httr2::resp_body_json(),
    error = function(error) stop("No compatible credentials provided.", call. = FALSE)
  )
  list(
    key_id = answer$AccessKeyId,
    secret = answer$SecretAccessKey,
    token = answer$Token,
    expiration = as.POSIXct(answer$Expiration, format = "%Y-%m-%dT%H:%M:%SZ", tz = "UTC")
  )
}

sts_url <- function() sprintf("https://sts.%s.amazonaws.com/", Sys.getenv("AWS_REGION"))

xml_text <- function(document, name) {
  xml2::xml_text(xml2::xml_find_first(document, sprintf("//*[local-name()='%s']", name)))
}
