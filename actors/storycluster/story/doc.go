// Package story is one story as a state machine: its articles, what it is
// worth, how urgent it is, what developed, which securities it is about. Do
// takes what the newsdesk tells it and returns the events that follow.
//
// It decides nothing about which articles belong to it, and knows no other
// story and no clock: everything comes with what it is told. Same tellings,
// same bytes, of events and of State.
//
// # What is announced
//
// A story is announced once it has two articles: cluster.event create. Before
// that it is one outlet's article, which clients have had as item.new; to
// announce it as well would cost them a credit an article and say nothing. A
// story that was never announced merges and ends without a word.
//
// # Bounds
//
// A story of a million articles is as large as one of a few hundred: it keeps
// the first and the latest articles, and of timeline, priorities and
// publishers the latest. What it has forgotten still counts in its sums.
package story
