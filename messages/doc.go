// Package messages holds the domain's nouns and every message that actors
// send each other, as protobuf, with no behaviour. A message is never changed
// after it was sent: on one node it is shared by pointer, and one delivery may
// be in the hands of thousands of connections.
//
// The .proto files are the source; go run ./protogen in cmd/dev/tools makes
// the .pb.go files again.
package messages
