// Does the same again at each line that it is sent.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const s3 = new S3Client();
const sts = new STSClient();
const Bucket = "colorado-projects";

async function use() {
  await sts.send(new GetCallerIdentityCommand());
  await s3.send(new PutObjectCommand({ Bucket, Key: "written/by-javascript", Body: "1" }));
  const found = await s3.send(new GetObjectCommand({ Bucket, Key: "README.txt" }));
  return found.Body.transformToString();
}

const manifest = new URL("node_modules/@aws-sdk/client-s3/package.json", import.meta.url);
console.log(JSON.stringify(JSON.parse(readFileSync(manifest)).version));
for await (const _ of createInterface({ input: process.stdin })) {
  const said = await use().then((answer) => ({ answer }), (error) => ({ error: String(error) }));
  console.log(JSON.stringify(said));
}
