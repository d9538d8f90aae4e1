// Package quality measures how well articles are given their stories, on data
// in which people did it: BCubed, the time of an assignment, and how well new
// facts are told from the old ones retold. `birdwire bench stories` prints it;
// a running node never uses it.
package quality
