// Package client is the Go SDK: the three WebSocket APIs as streams of Go
// values, the owner's REST, push ingest, and the operators' REST.
//
//	c, err := client.New(client.Config{URL: "https://birdwire.example", Key: key})
//	stream, err := c.Twitter(ctx, client.Options{Resume: "new"})
//	for m, err := range stream.All() {
//		…
//	}
//
// A stream connects again when its connection breaks: after 1 s, doubling to
// 30 s, never sooner than the server's Retry-After. It subscribes again by
// itself, and where it was opened with Resume it goes on after the last event
// it had, so that none is lost or repeated. What no retry can cure (a bad or
// revoked key, no credits left) ends it with an error.
//
// The package imports nothing of the server, and never puts a key into an
// error.
package client
