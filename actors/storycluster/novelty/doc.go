// Package novelty decides which article of a story is a development: one that
// says what the story has not said. It owns the judgement of a text's
// newness, the conditions around it and the pause after a development. It
// reads no text: how the article differs from the story is measured where the
// articles' vectors are. Times are event times; elapsed time is never taken
// for news.
//
// It abstains rather than guesses: between Unsure and sure the verdict is Ask,
// which a configured model answers and which otherwise means nothing.
package novelty
