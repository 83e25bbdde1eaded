# AWS Signature Version 4, as the IAM User Guide has it.

sha256 <- function(text) paste(openssl::sha256(if (is.raw(text)) text else charToRaw(text)))

hmac <- function(key, text) openssl::sha256(charToRaw(text), key = key)

signed_call <- function(service, method, host, path, query = "", body = raw()) {
  given <- credentials()
  region <- Sys.getenv("AWS_REGION")
  now <- format(Sys.time(), "%Y%m%dT%H%M%SZ", tz = "UTC")
  scope <- paste(substr(now, 1, 8), region, service, "aws4_request", sep = "/")
  headers <- c(
    host = host,
    "x-amz-content-sha256" = sha256(body),
    "x-amz-date" = now,
    "x-amz-security-token" = given$token
  )
  names <- paste(names(headers), collapse = ";")
  lines <- paste0(names(headers), ":", headers, collapse = "\n")
  canonical <- paste(method, path, query, lines, "", names, sha256(body), sep = "\n")
  to_sign <- paste("AWS4-HMAC-SHA256", now, scope, sha256(canonical), sep = "\n")
  key <- Reduce(hmac, strsplit(scope, "/")[[1]], charToRaw(paste0("AWS4", given$secret)))
  authorization <- sprintf(
    "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
    given$key_id, scope, names, paste(hmac(key, to_sign))
  )
  request <- httr2::request(paste0("https://", host, path, if (query != "") "?", query)) |>
    httr2::req_method(method) |>
    httr2::req_headers(!!!headers[-1], Authorization = authorization)
  if (length(body)) request <- httr2::req_body_raw(request, body)
  httr2::req_perform(request)
}
