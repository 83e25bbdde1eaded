# A proxied app in R, without any package: answers with the AWS variables that it sees.
listening <- serverSocket(as.integer(commandArgs(trailingOnly = TRUE)[1]))
repeat {
  client <- socketAccept(listening, blocking = TRUE, open = "r+b")
  while (nzchar(sub("\r$", "", readLines(client, n = 1)))) {}
  seen <- Sys.getenv()
  seen <- seen[grepl("^(AWS_|JUPYTER_WB_AWS_)", names(seen))]
  body <- paste0(names(seen), "=", seen, collapse = "\n")
  writeLines(c("HTTP/1.1 200 OK\r", paste0("Content-Length: ", nchar(body, "bytes"), "\r"),
               "Connection: close\r", "\r"), client, sep = "\n")
  writeBin(charToRaw(body), client)
  close(client)
}
