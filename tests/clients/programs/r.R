library(paws)

VERSION <- paste(getRversion())
s3 <- paws::s3()

use <- function() {
  print(paws::sts()$get_caller_identity()$Arn)
  s3$put_object(Body = charToRaw("1"), Bucket = "colorado-projects", Key = "written/by-R")
  rawToChar(s3$get_object(Bucket = "colorado-projects", Key = "README.txt")$Body)
}
