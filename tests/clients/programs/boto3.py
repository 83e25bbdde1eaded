import boto3

VERSION = boto3.__version__
sts, s3 = boto3.client("sts"), boto3.client("s3")


def use():
    print(sts.get_caller_identity()["Arn"])
    s3.put_object(Bucket="colorado-projects", Key="written/by-boto3", Body=b"1")
    return s3.get_object(Bucket="colorado-projects", Key="README.txt")["Body"].read().decode()
