// Package failures breaks clusters of real processes: each node is a birdwire of
// its own on a host of its own, under a steady load, with clients that resume at
// another node when theirs is lost. It has tests alone.
//
//	FAILURES=quick go test -v ./cmd/birdwire/failures      what the one check runs
//	FAILURES=all go test -v -timeout 1h ./cmd/birdwire/failures
//	FAILURES=all go test -v -run 'TestFailures/a_node_is_stopped' ./cmd/birdwire/failures
//
// FAILURES_KEEP=1 keeps the nodes' folders and logs; FAILURES_FROM is the commit that
// an upgrade begins at, by default the one before this.
//
// Hosts are network namespaces that this process carries packets between (see lan).
// A scenario breaks something, has it heal, and ends with the same questions,
// whatever it was about (see scene.judge): every event that was accepted came to
// every client, once and in one order; no key had more connections than its plan
// allows; what was delivered was charged; all nodes see one cluster, with nothing
// wrong; by their own logs a term of a shard was one process's, a shard has one owner
// at the end, and all go by the same view. How long it took until clients were served again is measured and printed,
// and judged by nobody: a machine may be slow.
package failures
