// Package ws serves the three WebSocket APIs: it lets connections in, reads
// what clients say, and writes what their sessions hand it. It is the only
// package that knows gws.
//
// # A connection's way in
//
//	handshake ─▶ credential ─▶ Admit (the key's actor takes a slot) ─▶ a place ─▶ upgrade ─▶ Sessions.Start
//
// What fails after Admit gives the slot back. From Start on the session
// owns the slot, and is told SocketClosed exactly once, whatever happened.
//
// # A frame's way out
//
// An event is encoded once for each distinct form, with its frame header and,
// where clients negotiated it, compressed; the immutable bytes are shared by
// every connection (cache.go). A connection queues references to them, bounded
// in bytes (queue.go). A few flushers write everything that is queued for a
// connection in one non-blocking write (flush.go): frames that come faster
// than the socket takes them travel together, and a frame that comes alone
// does not wait. No idle connection has a writer goroutine; one whose socket
// is full gets one until it has caught up, so a slow client delays nobody.
//
// # A message's way in
//
//	socket ─▶ watcher ─▶ goroutine ─▶ wire, guard ─▶ gws ─▶ codec ─▶ session
//
// A connection whose client says nothing has no goroutine and no reader: the
// watcher waits for all of them in one epoll (watch_linux.go), and what comes
// is read until there is no more and the last message is whole (read.go). gws
// puts frames together and inflates them. Whatever it wants to write passes
// through the queue of frames out (wire.go). With TLS, and where there is no
// epoll, each connection has a goroutine that waits.
//
// The package decides nothing about who receives what, keeps no log position
// and spends no credits.
package ws
