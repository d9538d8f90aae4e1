// Package nats holds the store's contracts on JetStream, every write synced to
// disk before it is acknowledged. It is the only package that knows nats.
//
//	alone      the server runs inside this process: no listening port, one replica
//	cluster    the same, joined by routes with the servers of other members; three
//	           replicas (cluster.go, join.go; what is read of whom: leader.go)
//	external   a NATS that others run (external.go)
//
// # A node that stands alone
//
//	<dir>/lock          held while a process runs on the folder
//	<dir>/jetstream/    the embedded server's own files
//
// and in the same folder our own notes, by which damage is noticed:
//
//	<dir>/marks         the last sequences acknowledged, and how long the notes are
//	<dir>/lists/        which control records, articles and snapshots there must be
//	<dir>/past          when the log's frames were written, to tell retention from loss
//	<dir>/holes         sequences of the log that will never be read, and why
//	<dir>/streams/      copies of the streams' descriptions
//	<dir>/copies/       all of these once more
//	<dir>/clean         the files as the last clean end left them; without it all are read
//
// Each has checksums, and one that is lost or damaged is written again from its
// copy. Where both are, the means to notice what came before are lost, and that
// is said.
//
// and what an operator may meet:
//
//	<dir>/damage        what was found gone from the log; while it is there, opening is refused
//	<dir>/accept-loss   made by an operator, to go on without what was lost
//	<dir>/lost/         damaged files as they were before they were mended
//
// # Streams
//
//	journal     journal.<node>    frames, one a message; retention by age and bytes
//	KV_control  $KV.control.<key> control records and ledgers, one message a key
//	items       items.<sha256>    articles' last known states, one message an article
//	snapshots   snapshots.head.<id>.<slot>, snapshots.chunk.<id>.<upload>
//	probe       probe             what the health check writes; made again with every session
//
// # One session at a time
//
// A session is one run of the embedded server with its connections. When the
// server can no longer write (it closes a stream for good after one failed
// write, also once there is space again), the session is stopped and a new one
// started inside the same Store; what was in flight is answered ErrAmbiguous.
// The reserve on the disk (ErrFull) makes that rare. A connection that is lost
// is made again within the session.
//
// # Damage
//
// What was acknowledged is counted, and what is gone is told:
//
//	in the log, found at a start     the start is refused, until it is accepted
//	in the log, found while it runs  readers are told Skipped, and every start names it
//	a control record                 it answers ErrDamaged, until it is mended or accepted
//	all control records              the start is refused, until it is accepted
//	an article's state, a snapshot   it is named once, and had again from elsewhere
//
// The package never decides what a frame means, and never writes one twice.
package nats
