// Package ranking says what a story is worth and how urgent it is, in event
// time: its mass, its publishers, whether it speeds up, one score out of these,
// and the priority that follows from the score by and by.
//
//	normal -> developing    score >= 45 and 3 publishers
//	developing -> normal    score < 35 for 30 min
//	developing -> breaking  score >= 75, acceleration >= 70, 5 publishers, and
//	                        a burst younger than 6 h; from major too
//	breaking -> major       acceleration < 45 for 60 min or score < 60, while
//	                        the score is >= 70
//	breaking -> developing  the same, while the score is lower
//	major -> developing     score < 70 for 30 min
//
// A priority lasts 15 min at least, except for the normal one that a story is
// born with.
//
// It owns formulas and states; it reads no text and knows no clock: the caller
// says what time it is by the events. Sums are kept decayed, so that a story of
// a million articles costs as much as one of three. Same calls, same bits.
package ranking
