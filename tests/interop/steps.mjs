// What the two TypeScript clients have in common: the same script in, the same report out as `client.py`.

import { once, EventEmitter } from 'node:events';
import { text } from 'node:stream/consumers';

export const PATIENCE = 60_000;

export const said = error => ({
    error: { code: error?.code ?? null, message: error?.message ?? String(error), data: error?.data ?? null }
});

/** News that the server sends unasked, kept from the first on. */
export class News {
    #heard = { message: [], updated: [] };
    #bell = new EventEmitter();

    add(kind, params) {
        this.#heard[kind].push(params);
        this.#bell.emit(kind);
    }

    async first(kind) {
        if (this.#heard[kind].length === 0) {
            await once(this.#bell, kind, { signal: AbortSignal.timeout(PATIENCE) });
        }
        return this.#heard[kind][0];
    }
}

async function call(callTool, step) {
    const seen = [];
    const controller = new AbortController();
    const options = { timeout: PATIENCE, signal: controller.signal };
    if (step.progress || step.cancel_after) {
        options.onprogress = ({ progress, total }) => {
            seen.push([progress, total]);
            if (seen.length === step.cancel_after) controller.abort('the user cancelled');
        };
    }
    const params = { name: step.name, arguments: step.arguments };
    if (step.meta) params._meta = step.meta;
    try {
        return { result: await callTool(params, options), progress: seen };
    } catch (error) {
        if (controller.signal.aborted) return { cancelled: true, progress: seen };
        return { ...said(error), progress: seen };
    }
}

async function one(client, callTool, news, step) {
    const options = { timeout: PATIENCE };
    switch (step.do) {
        case 'tools':
            return { result: (await client.listTools(undefined, options)).tools };
        case 'call':
            return await call(callTool, step);
        case 'resources':
            return { result: (await client.listResources(undefined, options)).resources };
        case 'templates':
            return { result: (await client.listResourceTemplates(undefined, options)).resourceTemplates };
        case 'read':
            return { result: await client.readResource({ uri: step.uri }, options) };
        case 'prompts':
            return { result: (await client.listPrompts(undefined, options)).prompts };
        case 'prompt':
            return { result: await client.getPrompt({ name: step.name, arguments: step.arguments }, options) };
        case 'complete': {
            const params = { ref: step.ref, argument: step.argument };
            if (step.context) params.context = { arguments: step.context };
            return { result: await client.complete(params, options) };
        }
        case 'ping':
            return { result: await client.ping(options) };
        case 'level':
            return { result: await client.setLoggingLevel(step.level, options) };
        case 'subscribe':
            return { result: await client.subscribeResource({ uri: step.uri }, options) };
        case 'await':
            return { result: await news.first(step.news) };
        default:
            throw new Error(`no step ${step.do}`);
    }
}

/** Reads the script, connects, does the steps and prints the report. */
export async function run(open) {
    const script = JSON.parse(await text(process.stdin));
    const news = new News();
    const report = { connected: null, steps: [], asked: [] };
    const { client, connect, callTool, version } = open(script, news, report.asked);
    try {
        await connect();
        report.connected = {
            version: version(),
            server: client.getServerVersion() ?? null,
            capabilities: client.getServerCapabilities() ?? null,
            instructions: client.getInstructions() ?? null
        };
    } catch (error) {
        report.connected = said(error);
    }
    if (!report.connected.error) {
        for (const step of script.steps) {
            try {
                report.steps.push(await one(client, callTool, news, step));
            } catch (error) {
                report.steps.push(said(error));
            }
        }
    }
    try {
        await client.close();
    } catch (error) {
        report.closing = said(error);
    }
    console.log(JSON.stringify(report));
}
