// Audits a server's GraphQL over HTTP with graphql-http and prints one JSON line an audit:
// `node audit.mjs URL`.
import { auditServer } from 'graphql-http';

const results = await auditServer({ url: `${process.argv[2]}/graphql` });
for (const { id, name, status, reason } of results) {
  process.stdout.write(`${JSON.stringify({ id, name, status, reason })}\n`);
}
