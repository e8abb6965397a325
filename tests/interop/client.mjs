// The TypeScript client, generation 2, driven by a script: see `client.py` and `steps.mjs`.

import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

import { run } from './steps.mjs';

const MODES = { legacy: 'legacy', auto: 'auto', modern: { pin: '2026-07-28' } };

await run((script, news, asked) => {
    const [command, ...args] = script.command;
    const client = new Client(
        { name: 'interop-typescript', version: '1' },
        {
            capabilities: { elicitation: {}, sampling: {}, roots: {} },
            versionNegotiation: { mode: MODES[script.mode] }
        }
    );
    client.setRequestHandler('elicitation/create', () => {
        asked.push('elicitation/create');
        return { action: 'decline' };
    });
    client.setRequestHandler('sampling/createMessage', () => {
        asked.push('sampling/createMessage');
        return { role: 'assistant', content: { type: 'text', text: 'no' }, model: 'none' };
    });
    client.setRequestHandler('roots/list', () => {
        asked.push('roots/list');
        return { roots: [] };
    });
    client.setNotificationHandler('notifications/message', ({ params }) => news.add('message', params));
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => news.add('updated', params));
    const transport = new StdioClientTransport({ command, args, env: script.env, cwd: script.cwd, stderr: 'inherit' });
    return {
        client,
        connect: () => client.connect(transport, { timeout: 60_000 }),
        callTool: (params, options) => client.callTool(params, options),
        version: () => client.getNegotiatedProtocolVersion()
    };
});
