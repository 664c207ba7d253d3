/**
 * What the isolates of a workerd hold once everything is collected that nobody needs any more, MB.
 * @param port of its inspector
 */
export async function collectedHeapMb(port: number): Promise<number> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
    readonly webSocketDebuggerUrl: string
  }[]
  const sizes = await Promise.all(
    targets.map(({ webSocketDebuggerUrl }) => collectedHeap(webSocketDebuggerUrl)),
  )
  return Math.round(sizes.reduce((sum, bytes) => sum + bytes, 0) / 1e4) / 100
}

async function collectedHeap(url: string): Promise<number> {
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  const waiting = new Map<number, (result: { usedSize?: number }) => void>()
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: { usedSize?: number } }
    if (id !== undefined) waiting.get(id)?.(result ?? {})
  })
  const call = (id: number, method: string) =>
    new Promise<{ usedSize?: number }>((resolve) => {
      waiting.set(id, resolve)
      socket.send(JSON.stringify({ id, method }))
    })
  // Twice, because the first finds what finalisers let go of.
  await call(1, 'HeapProfiler.collectGarbage')
  await call(2, 'HeapProfiler.collectGarbage')
  const { usedSize } = await call(3, 'Runtime.getHeapUsage')
  socket.close()
  if (usedSize === undefined) throw new Error('workerd did not tell the size of its heap')
  return usedSize
}
