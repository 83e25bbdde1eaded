"""What we ask of AWS, and what its errors mean."""
