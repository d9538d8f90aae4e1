// Package follow is how a subscriber reads the log and then listens: it
// replays from where it is to near the log's end, joins whoever sends what is
// new, and follows that. One follower serves one subscriber: a connection, the
// newsdesk, a key that moves.
//
// It is a state machine and nothing else. Step takes what happened (a message,
// a timer, a reading of the log, a wish of the subscriber) and returns what is
// to be done. It has no actor, clock, goroutine or socket. Next is Step for the
// one thing that happens all the time, and allocates nothing.
//
//	         Subscribe, from now
//	idle ------------------------------> joining --read through Q--> live
//	  |                                    ^ |                       ^ | |
//	  | Subscribe,     near the log's end  | | too much is held      | | | other
//	  | from a place                       | v                       | | | lane
//	  └----------------------------------> replaying                 | | v
//	                                         ^   joining <--missing--┘ | leaving
//	                                         |     ^                   |   |
//	                                         |     └------- Left ------┼---┘
//	                                         └-- retention took it: from now on
//
// # Words
//
// The owner sends what is new: a router, or a key. There may be several, one a
// lane; the follower knows only that lanes differ, and the shell that drives it
// knows who serves one at the moment. The frontier of a lane is the router
// whose matching decides how far the log may be read and which of its positions
// are repeats. Place is how far the subscriber is: everything at or before it
// was handed on, or did not match.
//
// # The promise
//
// A subscriber is handed every event that matches, once, in the order of
// (position, k). Each event is decided wholly by one subscription; Accepted
// comes between the last event of the one before and the first of its own.
//
// # Joining
//
// The owner answers Join with Joined{Q}: everything after Q comes live. The
// follower reads the log through Q and holds what comes live until then, within
// a bound in messages and bytes. Past the bound it leaves, reads on, and joins
// again nearer the end. A subscriber that came no nearer in RoundsMost rounds is
// ended: it takes less than is sent.
//
// # Nothing is lost without notice
//
// An owner numbers its Deliveries; each names the number of the one before, and
// Joined, Left and Through name the newest. The follower takes a message only
// where its chain is whole. Otherwise it knows two things: up to where it has
// everything (its place), and from where it has everything again (the message).
// What is between is read from the log, by the same subscription, while what
// comes live is held: a second Q, without a second Join. So the place never
// moves past an event that was not handed on:
//
//   - Deliveries: previous must be the number that was seen last;
//   - Through: number must be it; then everything at or before its position has
//     come, and the place moves there;
//   - Left, and Joined of a changed subscription: as Through.
//
// # What is dropped, and why that is safe
//
//   - an answer whose question is not the one that is open: the open one has a
//     timer and is asked again;
//   - Deliveries of another join or of an older term: they were decided by
//     another subscription or sent by an owner that was replaced. What they
//     carry is at or before the place, or will be read from the log, because no
//     message of the present join counts on them;
//   - Deliveries before Joined: Q is not known; what is before it is read from
//     the log and what is after it comes again in a message that says so, or is
//     found missing by it;
//   - Deliveries with a number that is not above the last one: their content was
//     handed on, is held, or is being read;
//   - Through and Rejoin of another join or an older term: they speak of a
//     stream that is not followed any more.
//
// # Questions
//
// Every question has a timer: it is asked again after Patience, which doubles
// up to four times, and after Silence without any answer the follower ends and
// says who is silent. There is one open question at a time and one timer. A
// reading of the log is a question too.
//
// # Subscriptions
//
// A new subscription is tried before it is current: by the owner (Joined or
// JoinRefused), or while replaying by the reading. One that is refused leaves
// the one before it current. They are tried one at a time, in order:
//
//   - live, same lane: Join under a new number. The owner answers between the
//     last event of the old and the first of the new one;
//   - live, other lane: Leave; Left{position} says how far the old lane came,
//     and the new lane is joined from there;
//   - replaying: between two readings, at the place;
//   - joining or leaving: once that is over.
package follow
