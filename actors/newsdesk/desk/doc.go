// Package desk is the newsdesk as a state machine: articles in the order of the
// log in, events about stories out. It has no actor, clock, goroutine or
// socket, and it does not know what is in a story: what happens to one is told
// to it (messages.TellStory), and it answers (messages.StoryTold).
//
//	        Take            Told, Told, …            (over: Pending has the events)
//	(rest) ------> a turn: step -> step -> … -------> (rest)
//
// A turn is all that follows from one event of the log. It has steps, one
// after the other, because a step may need what the one before was answered:
// the state of a story that merges goes into the other. The tells of one step
// go to different stories and may be answered in any order; the events that
// they answer are taken in the order of the tells. So the same log gives the
// same events, byte for byte, whoever runs the stories and however late they
// answer.
//
// # What comes out once
//
// An event's id is the position of what it follows from, and its number there.
// So whoever reads the log and computes again gives every event the id that it
// had. An event is pending until it is read in the log. Events are offered in
// order, and the next only after the ones before are durable: where one is in
// the log, all before it are. A newsdesk that begins again computes what it
// has forgotten, reads its own events among the articles, and what is pending
// at the log's end is exactly what is missing.
//
// # Time
//
// It is the time of detection of the events, as far as two of them have reached
// it: one node's wrong clock moves nothing. Where nothing is detected, the
// newsdesk has DeskTime written into the log, which moves it by ten minutes at
// most. Once a minute of this time all stories that are awake are looked at.
// A clock of the node is never asked, because a replay could not ask it again.
//
// # What a model is asked
//
// Where a story cannot tell whether an article is a development, the machine
// has a question. Whoever drives it may have a model answer and write the
// answer into the log; it is taken from there like anything else. Which
// questions there are follows from the log alone, and so does how long: after
// five minutes of its time a question is given up, and the article was none.
// Nothing waits for an answer.
//
// # Awake and at rest
//
// A story that is awake is looked at every minute and ranked. It rests once
// its priority is normal and nothing joined it for a day; of one article, for
// ten minutes. At rest it is bytes here; the next article wakes it. A story
// ends when similarity retires it.
//
// # Bounds
//
// Live stories and all of their words: similarity.Config. Articles of a story
// that are found by number: 512, the latest. Pending events: whoever drives
// the machine takes no further event while there are too many. Questions: 64;
// past them none is asked.
package desk
