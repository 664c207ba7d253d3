// A bare pass-through: what asking an upstream costs.
export default {
  fetch(request, env) {
    return fetch(env.UPSTREAM, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: request.body,
    })
  },
}
