// Package commonwords knows how frequent the frequent words of English news are.
// Whoever sees a stream of news begins with it and counts what really comes.
package commonwords

import (
	_ "embed"
	"strconv"
	"strings"
)

// list holds frequent words by their IDF: each line is four times the IDF and
// the words. It is counted over 2,781 English news articles of 2016 to 2018,
// without words that are mostly names, and will never be counted again: vectors
// of birdwire-hash-1 are made by it.
//
//go:embed idf.txt
var list string

// Each calls see with every frequent word, in small letters, and its IDF: the
// negative natural logarithm of the share of articles that it is in, 0 to 6.
func Each(see func(word string, idf float64)) {
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		quarters, err := strconv.Atoi(fields[0])
		if err != nil {
			panic("commonwords: " + err.Error())
		}
		for _, w := range fields[1:] {
			see(w, float64(quarters)/4)
		}
	}
}
