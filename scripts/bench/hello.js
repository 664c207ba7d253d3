// The bare minimum: what the platform itself costs.
export default { fetch: () => new Response('hello') }
