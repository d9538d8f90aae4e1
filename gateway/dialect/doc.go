// Package dialect holds what the three published APIs' codecs share: cursors,
// JSON that is byte for byte what the documents print, the reading of client
// messages within limits, and the words for refusing and ending a connection.
// One package below it for each API turns bytes into messages and back.
//
// A dialect never owns a socket, a goroutine or a clock, and decides nothing
// about who receives what.
package dialect
