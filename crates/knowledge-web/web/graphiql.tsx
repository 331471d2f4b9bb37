// The explorer of the GraphQL API, subscriptions included.
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './graphiql.css';

import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createClient } from 'graphql-ws';
import { createRoot } from 'react-dom/client';

import { STORED_KEY, authorization } from './key';

const WELCOME = `# The API of this knowledge server. Ctrl-Enter runs the operation under the cursor.

query Batches {
  batches(first: 10) {
    nodes {
      id
      stage
      progress
      totalDocuments
      completedDocuments
      failedDocuments
    }
  }
}
`;

const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
/** The key that the dashboard was given; GraphiQL's own headers come after it. */
const key = localStorage.getItem(STORED_KEY);
addEventListener('storage', (changed) => {
  if (changed.key === STORED_KEY || changed.key === null) location.reload();
});
const fetcher = createGraphiQLFetcher({
  url: '/graphql',
  ...(key !== null && { headers: { authorization: `Bearer ${key}` } }),
  wsClient: createClient({
    url: `${scheme}://${location.host}/graphql`,
    connectionParams: authorization(key),
  }),
});

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(<GraphiQL fetcher={fetcher} defaultQuery={WELCOME} />);
}
