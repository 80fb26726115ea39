// Prints the headers of a request that a sender's own library signed, or says is right.
// Read from stdin: {"sender", "secret", "body" (base64), "at" (seconds), "path"}; of SNS the secret
// is the certificate at the address that the message names.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import https from "node:https";
import { Readable } from "node:stream";

const asked = JSON.parse(readFileSync(0, "utf8"));
const body = Buffer.from(asked.body, "base64");
const digest = (encoding) => createHmac("sha256", asked.secret).update(body).digest(encoding);

const senders = {
  async "aws-sns"() {
    const { default: Validator } = await import("sns-validator");
    https.get = (_, answered) => {
      answered(Object.assign(Readable.from([asked.secret]), { statusCode: 200 }));
      return { on: () => undefined };
    };
    const message = JSON.parse(body);
    await new Promise((taken, refused) => {
      new Validator().validate(message, (error) => (error ? refused(error) : taken()));
    });
    return {
      "x-amz-sns-message-id": message.MessageId,
      "x-amz-sns-message-type": message.Type,
      "x-amz-sns-topic-arn": message.TopicArn,
    };
  },
  async contentful() {
    const { signRequest } = await import("@contentful/node-apps-toolkit");
    const headers = {
      "x-contentful-crn": "crn:contentful:::content:spaces/s1",
      "x-contentful-environment-id": "master",
      "x-contentful-space-id": "s1",
    };
    const request = { method: "POST", path: asked.path, headers, body: body.toString() };
    return { ...headers, ...signRequest(asked.secret, request, asked.at * 1000) };
  },
  async linear() {
    const { LinearWebhookClient } = await import("@linear/sdk/webhooks");
    Date.now = () => asked.at * 1000;
    const signature = digest("hex");
    const { webhookTimestamp } = JSON.parse(body);
    new LinearWebhookClient(asked.secret).verify(body, signature, webhookTimestamp);
    return { "Linear-Signature": signature };
  },
  async notion() {
    const { signWebhookPayload } = await import("@notionhq/client");
    const given = { body, verificationToken: asked.secret };
    return { "X-Notion-Signature": await signWebhookPayload(given) };
  },
  async sanity() {
    const { encodeSignatureHeader } = await import("@sanity/webhook");
    const header = await encodeSignatureHeader(body.toString(), asked.at * 1000, asked.secret);
    return { "sanity-webhook-signature": header };
  },
  async shopify() {
    await import("@shopify/shopify-api/adapters/node");
    const { shopifyApi, ApiVersion } = await import("@shopify/shopify-api");
    const shopify = shopifyApi({
      apiKey: "key",
      apiSecretKey: asked.secret,
      apiVersion: Object.values(ApiVersion).at(-2),
      hostName: "hooks.example.com",
      isEmbeddedApp: false,
      logger: { log: () => undefined },
    });
    const headers = {
      "X-Shopify-Hmac-Sha256": digest("base64"),
      "X-Shopify-Topic": "orders/create",
      "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
      "X-Shopify-API-Version": "2026-10",
      "X-Shopify-Shop-Domain": "example.myshopify.com",
    };
    const rawRequest = { method: "POST", url: "/shopify", headers };
    const verdict = await shopify.webhooks.validate({ rawBody: body.toString(), rawRequest });
    if (!verdict.valid) throw new Error(`refused: ${JSON.stringify(verdict)}`);
    return headers;
  },
};

console.log(JSON.stringify(await senders[asked.sender]()));
