package link

// Version is that of what nodes of this program say to each other and keep in the
// store. It grows with a release that has a new kind of message or of record; what
// a node says of itself has it (membership.Record).
const Version = 1

// Oldest is the oldest version whose nodes this program may run beside: a release
// goes on with what the one before it says.
const Oldest = 1

// since are the kinds of messages that came after the first version, by protobuf
// name, each with the version that it came with. A kind is sent only once the lowest
// version in the cluster knows it: until then it is a dead letter, as to a peer
// that is down, so whoever sends it has to do without. So a rolling upgrade can be
// taken back by one step while any node runs the version before.
//
// A new format of a record is written by the same rule: see store.Formats. A new field
// in an old kind needs none of this.
var since = map[string]uint32{}
