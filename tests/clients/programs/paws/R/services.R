sts <- function() {
  list(get_caller_identity = function() {
    host <- sub("https://(.*)/", "\\1", sts_url())
    query <- "Action=GetCallerIdentity&Version=2011-06-15"
    answer <- httr2::resp_body_xml(signed_call("sts", "GET", host, "/", query))
    sapply(c("UserId", "Account", "Arn"), xml_text, document = answer, simplify = FALSE)
  })
}

s3 <- function() {
  call <- function(method, bucket, path, ...) {
    host <- sprintf("%s.s3.%s.amazonaws.com", bucket, Sys.getenv("AWS_REGION"))
    signed_call("s3", method, host, path, ...)
  }
  list(
    list_objects = function(Bucket) {
      answer <- httr2::resp_body_xml(call("GET", Bucket, "/"))
      keys <- xml2::xml_find_all(answer, "//*[local-name()='Contents']/*[local-name()='Key']")
      list(Contents = lapply(xml2::xml_text(keys), function(key) list(Key = key)))
    },
    put_object = function(Body, Bucket, Key) {
      invisible(call("PUT", Bucket, paste0("/", Key), body = Body))
    },
    get_object = function(Bucket, Key) {
      list(Body = httr2::resp_body_raw(call("GET", Bucket, paste0("/", Key))))
    }
  )
}
