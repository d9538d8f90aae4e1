// Package similarity gives every article its story: one pass over the articles
// in log order, no look-ahead, no clock. It owns which articles are told
// together; what a story is worth, and whether anything in it is new, it never
// asks. Same articles in, byte-identical changes out, on every machine.
//
// # The way of an article
//
//	text -> terms -> weights (streaming TF-IDF) -> index of live stories
//	     -> candidates, each a row of features -> logistic decision
//	     -> joins the best story, or begins one
//
// An article is three sparse unit vectors: its title (with what its address says
// in words), everything that it says (title and body), and its entities. A story keeps the sum of its articles'
// vectors, so that a dot product with the sum, divided by the number of
// articles, is the mean similarity to all of them: one number that a story of
// three and a story of three hundred share. Headlines of a large story count words
// by the root of their share instead (query.alike). No feature is the story's size:
// what is popular would grow by being popular.
//
// After every article a bounded number of stories that changed are compared
// with all others, and merge if a second set of weights says that they tell
// the same; a story whose articles fall into two halves that would never merge
// is split. The work is spread over the articles instead of being done each
// hour at once, because an article must not wait for twenty thousand stories.
//
// # Numbers
//
// A decision is a sign, so the last bit matters: sums run over terms sorted by
// hash, never over a map; products are rounded before they are added, so that
// no compiler fuses them; logarithms are rounded to 1/1024; decisions compare
// the logit and never take an exponential.
//
// # Bounds
//
// Config names them all: live stories, terms of an article, terms of the
// dictionary, members kept, work an article. Past each it says what happens.
package similarity
