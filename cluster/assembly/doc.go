// Package assembly makes all actors of one node from one struct of ports. It
// owns no socket, no wall time and no goroutine, so that the process and a
// simulation run the same node.
package assembly
