"""Makes a user who may send mail, and a domain to send it from, in a moto server whose first calls are free.

Arguments: port, domain. Prints the user's access key as JSON.
"""

import json
import sys

import boto3


def main():
    port, domain = sys.argv[1:3]
    where = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
    anybody = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    iam = boto3.client("iam", **where, **anybody)
    iam.create_user(UserName="mailer")
    key = iam.create_access_key(UserName="mailer")["AccessKey"]
    statement = {"Effect": "Allow", "Action": "ses:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="mailer", PolicyName="send", PolicyDocument=policy)
    # The free calls are used up: from here on signatures and rights count.
    mailer = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    boto3.client("sesv2", **where, **mailer).create_email_identity(EmailIdentity=domain)
    print(json.dumps({"key_id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}))


if __name__ == "__main__":
    main()
