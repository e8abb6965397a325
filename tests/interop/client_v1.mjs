// The TypeScript SDK, generation 1, driven by a script: see `client.py` and `steps.mjs`. It knows only the older era.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
    CreateMessageRequestSchema,
    ElicitRequestSchema,
    ListRootsRequestSchema,
    LoggingMessageNotificationSchema,
    ResourceUpdatedNotificationSchema
} from '@modelcontextprotocol/sdk/types.js';

import { run } from './steps.mjs';

await run((script, news, asked) => {
    const [command, ...args] = script.command;
    const client = new Client(
        { name: 'interop-typescript-v1', version: '1' },
        { capabilities: { elicitation: {}, sampling: {}, roots: {} } }
    );
    client.setRequestHandler(ElicitRequestSchema, () => {
        asked.push('elicitation/create');
        return { action: 'decline' };
    });
    client.setRequestHandler(CreateMessageRequestSchema, () => {
        asked.push('sampling/createMessage');
        return { role: 'assistant', content: { type: 'text', text: 'no' }, model: 'none' };
    });
    client.setRequestHandler(ListRootsRequestSchema, () => {
        asked.push('roots/list');
        return { roots: [] };
    });
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => news.add('message', params));
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => news.add('updated', params));
    const transport = new StdioClientTransport({ command, args, env: script.env, cwd: script.cwd, stderr: 'inherit' });
    let version = null;
    transport.setProtocolVersion = agreed => {
        version = agreed;
    };
    return {
        client,
        connect: () => client.connect(transport, { timeout: 60_000 }),
        callTool: (params, options) => client.callTool(params, undefined, options),
        version: () => version
    };
});
