// Package nats holds the store's contracts on a JetStream that runs inside
// this process: no listening port, one replica, every write synced to disk
// before it is acknowledged. It is the only package that knows nats.
//
//	<dir>/lock          held while a process runs on the folder
//	<dir>/jetstream/    the embedded server's own files
//	<dir>/marks         the last sequence acknowledged
//	<dir>/holes         sequences that were never acknowledged and never will be read
//	<dir>/damage        what was found damaged; while it is there, opening is refused
//
// # Streams
//
//	journal     journal.<node>    frames, one a message; retention by age and bytes
//	KV_control  $KV.control.<key> control records and ledgers, one message a key
//	items       items.<sha256>    articles' last known states, one message an article
//	snapshots   snapshots.head.<id>.<slot>, snapshots.chunk.<id>.<upload>
//
// # One session at a time
//
// A session is one run of the embedded server with its connections. When the
// server can no longer write (it closes a stream for good after one failed
// write, also once there is space again), the session is stopped and a new one
// started inside the same Store; what was in flight is answered ErrAmbiguous.
// The reserve on the disk (ErrFull) makes that rare.
//
// The package never decides what a frame means, and never writes one twice.
package nats
