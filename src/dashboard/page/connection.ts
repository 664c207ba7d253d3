import { CLOSE_SIGNED_OUT, type FromHub, type ToHub } from '../messages.ts'
import type { View } from '../view.ts'

export type LiveState = 'connecting' | 'live' | 'away' | 'signed-out' | 'resting'

export interface Listener {
  told(message: FromHub): void
  changed(state: LiveState): void
}

const SAY_AGAIN_MS = 10_000
/** Figures come twice a second. */
const SILENT_MS = 3_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 10_000

/** The line to the hub: it comes back by itself, and rests while nobody sees the page. */
export class Connection {
  readonly #listener: Listener
  #view: View
  #socket: WebSocket | undefined
  #heardMs = 0
  #tries = 0
  #state: LiveState = 'connecting'
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor(view: View, listener: Listener) {
    this.#view = view
    this.#listener = listener
    setInterval(() => this.#say(), SAY_AGAIN_MS)
    setInterval(() => this.#listen(), 1_000)
    document.addEventListener('visibilitychange', () => this.#say())
    window.addEventListener('online', () => this.#open())
    this.#open()
  }

  look(view: View): void {
    this.#view = view
    this.#say()
  }

  #open(): void {
    clearTimeout(this.#retry)
    if (this.#state === 'signed-out' || (this.#socket && this.#socket.readyState <= WebSocket.OPEN)) return
    const socket = new WebSocket(new URL('/monitoring/live', location.href.replace(/^http/, 'ws')))
    this.#socket = socket
    this.#heardMs = Date.now()
    socket.addEventListener('open', () => this.#say())
    socket.addEventListener('message', ({ data }) => {
      this.#heardMs = Date.now()
      this.#tries = 0
      this.#become('live')
      this.#listener.told(JSON.parse(data) as FromHub)
    })
    socket.addEventListener('close', ({ code }) => {
      if (socket === this.#socket) void this.#lost(code)
    })
  }

  async #lost(code: number): Promise<void> {
    this.#socket = undefined
    if (code === CLOSE_SIGNED_OUT || (await isSignedOut())) return this.#become('signed-out')
    this.#become('away')
    const waitMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#tries++)
    // All pages lose their line at once when a new version is deployed.
    this.#retry = setTimeout(() => this.#open(), waitMs * (0.5 + Math.random() / 2))
  }

  #listen(): void {
    if (document.hidden || !this.#socket || Date.now() < this.#heardMs + SILENT_MS) return
    if (this.#state === 'live') this.#become('away')
    if (Date.now() < this.#heardMs + 2 * SILENT_MS) return
    const silent = this.#socket
    this.#socket = undefined
    silent.close()
    void this.#lost(0)
  }

  #say(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return
    const wish: ToHub = document.hidden ? { rest: true } : { look: this.#view }
    this.#socket.send(JSON.stringify(wish))
    if (document.hidden) this.#become('resting')
    else if (this.#state === 'resting') this.#heardMs = Date.now()
  }

  #become(state: LiveState): void {
    if (this.#state === state) return
    this.#state = state
    this.#listener.changed(state)
  }
}

/** A refused WebSocket does not tell why. */
async function isSignedOut(): Promise<boolean> {
  try {
    return (await fetch('/monitoring', { method: 'HEAD' })).status === 401
  } catch {
    return false
  }
}
