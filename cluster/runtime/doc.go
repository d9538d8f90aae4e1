// Package runtime is what runs a node's actors on a real machine: the mailbox
// and its policy, the dispatcher and its goroutines, pools for blocking work,
// the wall clock, and randomness. It makes none of the decisions that actors
// make, and a simulation has its own of everything here but the policy of
// mailboxes, which is the same for both.
package runtime
