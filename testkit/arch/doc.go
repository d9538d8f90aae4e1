// Package arch holds the house's plan against the code: which package may
// import which, where each vendor may be named, what actors must not do, and
// what is at the top. Its test fails the build on a breach and says the file,
// the line, the rule and why there is one.
//
// The plan is table.go: rules, each with its reason. Change it there, in the
// open, or change the code. A rule that needs a list of exceptions is the wrong
// rule.
//
// Test files are free to import what they need; they must not sleep. Nested
// modules (tools, comparisons) are no part of the plan.
package arch
