// Package sim runs a whole cluster in one process, from a seed.
package sim
