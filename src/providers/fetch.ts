/** The part of `fetch` that is used here, handed in by whoever knows the platform. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>
