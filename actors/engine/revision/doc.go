// Package revision says what changed between two states of an article at its
// source, word by word, and keeps apart what a source said from what enrichment
// has filled in. It is pure and reads no table.
package revision
